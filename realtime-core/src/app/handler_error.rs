//! The error that a handler returned, kept by its type until an error handler or the client is told.
//!
//! A handler's error type says by `Into<Rejection>` what the client is told. That is done late, so that an
//! [`ErrorHandler`](crate::app::ErrorHandler) for the type can have the error itself.

use std::{
    any::{Any, TypeId},
    error::Error,
    fmt,
};

use crate::app::Rejection;

/// An error of a handler, extractor, guard or layer on its way to an error handler, else to the client as a
/// [`Rejection`].
///
/// ```
/// use parlor_core::app::{HandlerError, Rejection};
///
/// struct RoomIsFull;
///
/// impl From<RoomIsFull> for Rejection {
///     fn from(_: RoomIsFull) -> Self { Rejection::new("room-full", "This room is full.") }
/// }
///
/// let error = HandlerError::new(RoomIsFull);
/// assert!(error.is::<RoomIsFull>());
/// assert_eq!(error.into_rejection().code(), "room-full");
/// ```
pub struct HandlerError {
    error: Box<dyn Any + Send + Sync>,
    into_rejection: fn(Box<dyn Any + Send + Sync>) -> Rejection,
}

impl HandlerError {
    /// Keeps `error` and how it becomes a rejection.
    #[must_use]
    pub fn new<E>(error: E) -> Self
    where
        E: Into<Rejection> + Send + Sync + 'static,
    {
        Self {
            error: Box::new(error),
            into_rejection: |error| match error.downcast::<E>() {
                Ok(error) => (*error).into(),
                Err(_) => Rejection::internal("an error lost its type"),
            },
        }
    }

    /// Whether the error is an `E`.
    #[must_use]
    pub fn is<E: 'static>(&self) -> bool {
        self.error.is::<E>()
    }

    /// The type of the error.
    pub(crate) fn kind(&self) -> TypeId {
        (*self.error).type_id()
    }

    /// The error, if it is an `E`.
    ///
    /// # Errors
    /// Gives itself back where it is another type.
    pub fn downcast<E: 'static>(self) -> Result<E, Self> {
        let Self { error, into_rejection } = self;
        error.downcast::<E>().map(|error| *error).map_err(|error| Self { error, into_rejection })
    }

    /// What the client is told.
    #[must_use]
    pub fn into_rejection(self) -> Rejection {
        (self.into_rejection)(self.error)
    }
}

impl From<Rejection> for HandlerError {
    fn from(rejection: Rejection) -> Self {
        Self::new(rejection)
    }
}

impl From<HandlerError> for Rejection {
    fn from(error: HandlerError) -> Self {
        error.into_rejection()
    }
}

impl fmt::Display for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.error.downcast_ref::<Rejection>() {
            Some(rejection) => rejection.fmt(f),
            None => f.write_str("a handler refused its event"),
        }
    }
}

impl fmt::Debug for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HandlerError({self})")
    }
}

impl Error for HandlerError {}
