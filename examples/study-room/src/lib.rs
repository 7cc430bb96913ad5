//! A study room: accounts, rooms and chat over STOMP on WebSocket, with Parlor.
//!
//! | module | what it shows |
//! |---|---|
//! | `app` | how an application is put together |
//! | `realtime` | what is mounted, and handlers tested without a socket |
//! | `chat` | handlers, extractors, a reply on entering; write, then broadcast |
//! | `timer` | values that supersede each other, published by commands and by time |
//! | `presence` | who is here: joined and left, statuses, and numbers for the lobby |
//! | `typing` | the shortest route: a guard, a rate, a payload in and one out |
//! | `direct` | messages to a user, in all tabs of both |
//! | `notifications` | what waits for whoever is away, over STOMP and as an event stream |
//! | `membership` | guards that several routes ask |
//! | `accounts` | a JWT in an HttpOnly cookie, and sessions closed at the log-out |
//! | `api` | what is refused, and extractors of one's own |
//! | `store` | a database behind one trait |
//! | `web` | pages and JSON beside the WebSocket |

mod accounts;
mod api;
mod app;
mod arguments;
mod chat;
mod clock;
mod direct;
mod drafts;
mod ids;
mod membership;
mod notifications;
mod presence;
mod realtime;
mod rooms;
mod settings;
mod store;
mod throttle;
mod timer;
mod typing;
mod web;

pub use app::{App, StartError};
pub use arguments::{Command, HELP, UnknownArgument, VERSION};
pub use settings::{Settings, SettingsError};
