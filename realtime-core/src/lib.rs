//! The core of Parlor: broker, sessions, users, handlers and authentication, for any web framework.
