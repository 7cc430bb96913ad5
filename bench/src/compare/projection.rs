//! What the figures would mean for a million sessions: arithmetic, not a measurement, and it says so.

use super::Findings;
use crate::{
    sample::{Column, KERNEL_PER_SESSION, OCTETS_PER_SESSION, PER_CPU_SECOND, Unit},
    subject::PARLOR,
};

/// Sessions on paper.
const SESSIONS: f64 = 1e6;

/// Messages a minute that each session is sent, on paper.
const MESSAGES_PER_MINUTE: f64 = 6.0;

/// How full a core may be that is to answer in time.
const FULL: f64 = 0.6;

/// The projection, if its figures are there.
pub(super) fn project(findings: &Findings) -> Option<String> {
    let median = |contest: &str, column: Column| {
        let comparison = findings.comparison(contest)?;
        Some(comparison.entry(PARLOR)?.spread(column)?.median)
    };
    let session = median("idle-19000", OCTETS_PER_SESSION)?;
    let kernel = median("idle-19000", KERNEL_PER_SESSION)? / 2.0;
    let deliveries = median("fan-out-10000", PER_CPU_SECOND)?;
    let demand = SESSIONS * MESSAGES_PER_MINUTE / 60.0;
    let cores = demand / deliveries / FULL;
    Some(format!(
        "This is arithmetic on the figures above, and nobody has measured it. A session takes {}, so a million takes {} of the process, and \
         about {} more of the kernel, for one end of each socket. If each is sent {MESSAGES_PER_MINUTE} messages a minute, that is {} \
         deliveries a second; at the {} deliveries for each CPU-second of 10,000 subscribers, and cores no more than {:.0} % busy, {:.1} cores \
         write them. The rate per core is that of sockets that have fallen out of its cache already at 10,000 subscribers, so it should not \
         fall much further; what a real network card, TLS and many cores that share the topics' locks cost is not in it. A million sockets \
         also need as many file descriptors, and more than one address towards a proxy, whose ports are only 64 Ki.\n",
        Unit::Octets.write(session),
        Unit::Octets.write(session * SESSIONS),
        Unit::Octets.write(kernel * SESSIONS),
        Unit::Count.write(demand),
        Unit::Count.write(deliveries),
        FULL * 100.0,
        cores,
    ))
}
