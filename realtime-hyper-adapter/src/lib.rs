//! Parlor on hyper and tower: the WebSocket upgrade as a tower Service.
