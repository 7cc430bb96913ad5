//! The whole life of a connection: it begins, runs and ends.
//!
//! One future of the size of the driver and no more: a connection runs for nearly all of its life, so what its beginning and its
//! end need is in boxes that live as long as those.

use std::{
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_util::{FutureExt, future::BoxFuture};

use super::{
    Driver,
    ending::{Ended, Exit},
};
use crate::{connection::Closing, limits::Admission, telemetry};

/// A connection; done when it is over.
pub(crate) struct Life {
    stage: Stage,
    /// Given back at the end.
    _admission: Admission,
}

#[expect(clippy::large_enum_variant, reason = "it is the large one for nearly all of its life")]
enum Stage {
    Beginning(BoxFuture<'static, Driver>),
    Running(Driver),
    Ending(BoxFuture<'static, ()>),
    Over,
}

impl Life {
    /// A connection that is run once it has begun.
    pub(crate) fn new(begins: impl Future<Output = Driver> + Send + 'static, admission: Admission) -> Self {
        Self { stage: Stage::Beginning(begins.boxed()), _admission: admission }
    }
}

impl Future for Life {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            match &mut self.stage {
                Stage::Beginning(begins) => {
                    let driver = ready!(begins.as_mut().poll(cx));
                    self.stage = Stage::Running(driver);
                }
                Stage::Running(driver) => {
                    // The net below the guards: whatever panics, the client is told and so are listeners, once (rule 18).
                    let exit = match catch_unwind(AssertUnwindSafe(|| driver.poll_run(cx))) {
                        Ok(exit) => ready!(exit),
                        Err(_) => Exit::Ended(panicked()),
                    };
                    if let Stage::Running(driver) = mem::replace(&mut self.stage, Stage::Over) {
                        self.stage = Stage::Ending(end(driver, exit).boxed());
                    }
                }
                Stage::Ending(ending) => {
                    ready!(ending.as_mut().poll(cx));
                    self.stage = Stage::Over;
                }
                Stage::Over => return Poll::Ready(()),
            }
        }
    }
}

async fn end(mut driver: Driver, exit: Exit) {
    let ended = match exit {
        Exit::Ended(ended) => ended,
        Exit::Unheard => {
            AssertUnwindSafe(driver.work_off_unheard()).catch_unwind().await.unwrap_or_else(|_| panicked())
        }
    };
    driver.end(ended).await;
}

fn panicked() -> Ended {
    telemetry::connection_panicked();
    Ended::by_server(Closing::internal())
}
