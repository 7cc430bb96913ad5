//! Lists of routes.

#![allow(unused)]

use parlor::{routes, stomp_handler};

#[stomp_handler("/app/a")]
async fn one() {}

async fn no_attribute() {}

fn main() {
    let _ = routes![];
    let _ = routes![one(), 7];
    let _ = routes![one, one];
    let _: () = routes![no_attribute];
}
