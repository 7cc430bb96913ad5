//! The study room.
fn main() {}
