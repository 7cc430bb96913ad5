//! What one round of one contestant gives: named figures, of which each scenario shows some.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, de};

/// A figure: its name in the JSON, its title in tables, and how it is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub(crate) struct Column {
    pub(crate) key: &'static str,
    pub(crate) title: &'static str,
    pub(crate) unit: Unit,
}

/// What a figure counts.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Unit {
    /// Things, or things per second.
    Count,
    /// Microseconds.
    Microseconds,
    /// Milliseconds.
    Milliseconds,
    /// Octets.
    Octets,
    /// One as many as another.
    Ratio,
}

/// The figures of one round.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub(crate) struct Sample(BTreeMap<&'static str, f64>);

/// The figure that an earlier run has written under this name.
fn column<E: de::Error>(key: &str) -> Result<Column, E> {
    let known = ALL.iter().find(|column| column.key == key).copied();
    known.ok_or_else(|| E::custom(format!("there is no figure {key}; measure anew, without the old file")))
}

impl<'de> Deserialize<'de> for Column {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Written {
            key: String,
        }
        column(&Written::deserialize(from)?.key)
    }
}

impl<'de> Deserialize<'de> for Sample {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let written = BTreeMap::<String, f64>::deserialize(from)?;
        let figures = written.into_iter().map(|(key, value)| Ok((column(&key)?.key, value)));
        figures.collect::<Result<_, _>>().map(Self)
    }
}

macro_rules! columns {
    ($($(#[$doc:meta])* $name:ident = $key:literal, $title:literal, $unit:ident;)*) => {
        $(
            $(#[$doc])*
            pub(crate) const $name: Column = Column { key: $key, title: $title, unit: Unit::$unit };
        )*

        /// Every figure that there is.
        const ALL: &[Column] = &[$($name),*];
    };
}

columns! {
    /// Deliveries for each second of CPU time that the server took.
    PER_CPU_SECOND = "per_cpu_second", "deliveries per server CPU-second", Count;
    /// Deliveries for each second that passed.
    PER_SECOND = "per_second", "deliveries per second", Count;
    /// Messages that were published.
    PUBLISHED = "published", "messages", Count;
    /// Octets on the wire.
    OCTETS_PER_DELIVERY = "octets_per_delivery", "octets per delivery", Octets;
    /// The median latency.
    P50 = "p50_ms", "p50", Milliseconds;
    /// The latency of 99 of 100.
    P99 = "p99_ms", "p99", Milliseconds;
    /// The latency of 999 of 1,000.
    P999 = "p999_ms", "p99.9", Milliseconds;
    /// The longest latency.
    LONGEST = "longest_ms", "longest", Milliseconds;
    /// Deliveries that never came.
    LOST = "lost", "lost", Count;
    /// Deliveries that came twice.
    DOUBLED = "doubled", "doubled", Count;
    /// Deliveries out of order.
    DISORDERED = "disordered", "out of order", Count;
    /// Deliveries to those who had not subscribed.
    STRAYED = "strayed", "astray", Count;
    /// Messages that the witness has read.
    WITNESSED = "witnessed", "witnessed", Count;
    /// The server's CPU time by the scheduler's count.
    CPU_SECONDS = "cpu_seconds", "server CPU-seconds", Count;
    /// The same by the clock's ticks.
    CPU_TICK_SECONDS = "cpu_tick_seconds", "server CPU-seconds by ticks", Count;
    /// The generator's CPU time for each `recv`.
    GENERATOR_RECEIVE = "generator_us_per_receive", "generator per recv", Microseconds;
    /// The part of the time in which the generator worked.
    GENERATOR_BUSY = "generator_busy", "generator busy", Ratio;
    /// Memory of the process for each session.
    OCTETS_PER_SESSION = "octets_per_session", "resident per session", Octets;
    /// Memory of the process without sessions.
    BASE_OCTETS = "base_octets", "resident without sessions", Octets;
    /// Memory of the kernel for each session, both ends of its socket.
    KERNEL_PER_SESSION = "kernel_octets_per_session", "kernel per session, both ends", Octets;
    /// CPU time of the server for idle sessions, in microseconds for each of them and second.
    IDLE_CPU = "idle_us_per_session_second", "CPU per session and second", Microseconds;
    /// Connections that were opened for each second of the server's CPU time.
    CONNECTS_PER_CPU_SECOND = "connects_per_cpu_second", "connects per server CPU-second", Count;
    /// Connections that were opened in a second.
    CONNECTS_PER_SECOND = "connects_per_second", "connects per second", Count;
    /// The latency of 99 of 100 while nothing else happens.
    P99_ALONE = "p99_alone_ms", "p99 alone", Milliseconds;
    /// The latency of 99 of 100 beside something else.
    P99_BESIDE = "p99_beside_ms", "p99 beside it", Milliseconds;
    /// The one by the other.
    P99_RATIO = "p99_ratio", "p99 beside it / alone", Ratio;
    /// Of what happens beside it.
    BESIDE_PER_SECOND = "beside_per_second", "beside it, per second", Count;
}

impl Sample {
    /// Sets a figure.
    pub(crate) fn set(&mut self, column: Column, value: f64) {
        self.0.insert(column.key, value);
    }

    /// A figure, if this round has it.
    pub(crate) fn get(&self, column: Column) -> Option<f64> {
        self.0.get(column.key).copied()
    }

    /// Whether something was lost or doubled, or reached those who had not asked for it.
    pub(crate) fn is_faulty(&self) -> bool {
        [LOST, DOUBLED, STRAYED].iter().any(|column| self.get(*column).is_some_and(|count| count > 0.0))
    }
}

impl Unit {
    /// A figure for people.
    pub(crate) fn write(self, value: f64) -> String {
        match self {
            Self::Count => short(value, 1000.0, ["", " k", " M", " G"]),
            Self::Octets => short(value, 1024.0, [" B", " KiB", " MiB", " GiB"]),
            Self::Milliseconds => format!("{} ms", digits(value)),
            Self::Microseconds => format!("{} µs", digits(value)),
            Self::Ratio => format!("{value:.2}"),
        }
    }
}

/// By the largest unit that leaves a figure before the point.
fn short(value: f64, step: f64, units: [&str; 4]) -> String {
    let mut value = value;
    for unit in &units[..3] {
        if value.abs() < step {
            return format!("{}{unit}", digits(value));
        }
        value /= step;
    }
    format!("{}{}", digits(value), units[3])
}

/// Three significant digits, or all before the point.
fn digits(value: f64) -> String {
    match value.abs() {
        _ if value == value.trunc() && value.abs() < 1000.0 => format!("{value}"),
        0.0..10.0 => format!("{value:.2}"),
        10.0..100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_written_with_three_digits() {
        assert_eq!(Unit::Count.write(152_345.0), "152 k");
        assert_eq!(Unit::Count.write(2_256_000.0), "2.26 M");
        assert_eq!(Unit::Count.write(0.0), "0");
        assert_eq!(Unit::Octets.write(1196.0), "1.17 KiB");
        assert_eq!(Unit::Octets.write(242.0), "242 B");
        assert_eq!(Unit::Milliseconds.write(10.66), "10.7 ms");
        assert_eq!(Unit::Ratio.write(0.934), "0.93");
    }

    #[test]
    fn losses_doubles_and_strays_are_faults_and_disorder_is_told_apart() {
        let mut sample = Sample::default();
        sample.set(LOST, 0.0);
        sample.set(DISORDERED, 3.0);
        assert!(!sample.is_faulty());
        sample.set(DOUBLED, 1.0);
        assert!(sample.is_faulty());
    }
}
