//! Parlor on axum: routes, extractors and the serve loop.
