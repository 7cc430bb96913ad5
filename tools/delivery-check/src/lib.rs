#![doc = include_str!("../README.md")]

pub mod chaos;
pub mod checker;
mod event;
mod log;
mod random;

pub use event::{Event, Record};
pub use log::{LogError, VERSION, read};
