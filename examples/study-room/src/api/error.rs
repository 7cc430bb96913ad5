//! What the JSON API says when it says no.

use std::{borrow::Cow, fmt};

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use parlor::axum::NotAuthenticated;
use serde::Serialize;

use crate::store::StoreError;

/// A refusal: `{"code": …, "message": …, "field": …, "others": […]}`.
#[derive(Debug, Serialize)]
pub(crate) struct ApiError {
    #[serde(skip)]
    status: StatusCode,
    code: &'static str,
    message: Cow<'static, str>,
    /// The field of the form that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'static str>,
    /// What is wrong with other fields.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    others: Vec<Self>,
    #[serde(skip)]
    retry_after: Option<u64>,
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { status, code, message: message.into(), field: None, others: Vec::new(), retry_after: None }
    }

    /// Something is wrong with one field of a form.
    pub(crate) fn field(code: &'static str, message: impl Into<Cow<'static, str>>, field: &'static str) -> Self {
        Self { field: Some(field), ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, message) }
    }

    /// One refusal of several, so that a form shows all its faults at once. The first leads.
    pub(crate) fn of_all(errors: impl IntoIterator<Item = Self>) -> Option<Self> {
        let mut errors = errors.into_iter();
        let first = errors.next()?;
        Some(Self { others: errors.collect(), ..first })
    }

    /// The server failed; the cause is logged and not shown.
    pub(crate) fn internal(error: impl fmt::Display) -> Self {
        tracing::error!(%error, "a request failed");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Something went wrong here. Try again in a moment.")
    }

    pub(crate) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "There is nothing at this address.")
    }

    pub(crate) fn method_not_allowed() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "This address does not take that method.")
    }

    pub(crate) fn not_logged_in() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "not-logged-in", "Log in first.")
    }

    pub(crate) fn room_not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "room-not-found", "There is no such room.")
    }

    #[expect(clippy::needless_pass_by_value, reason = "so that it fits `map_err`")]
    pub(crate) fn unavailable(error: StoreError) -> Self {
        tracing::error!(%error, "the database does not answer");
        let sentence = "The database does not answer. Try again in a moment.";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", sentence).retry_after(1)
    }

    /// The same with another status.
    pub(crate) fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// Adds after how many seconds to come back.
    pub(crate) fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, retry_after) = (self.status, self.retry_after);
        let mut response = (status, Json(self)).into_response();
        if let Some(seconds) = retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        if error.is_absence() { Self::unavailable(error) } else { Self::internal(error) }
    }
}

impl From<NotAuthenticated> for ApiError {
    fn from(error: NotAuthenticated) -> Self {
        Self::new(error.0.status(), error.0.code(), error.to_string())
    }
}
