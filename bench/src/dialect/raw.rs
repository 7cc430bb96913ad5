//! No dialect at all: a text message on `/pub` goes as it is to everyone on `/sub`; and an echo.

use super::{Dialect, Role, Step};

/// The largest header of a server's frame.
const LARGEST_HEADER: usize = 10;

/// Bodies and nothing else.
#[derive(Debug)]
pub(crate) struct Raw {
    /// The one path of an echo; a broadcast has two.
    echo: Option<String>,
    /// Octets of a frame, which payloads are filled up to.
    frame: usize,
}

impl Raw {
    /// What is published reaches everyone.
    pub(crate) fn broadcast() -> Self {
        Self { echo: None, frame: 0 }
    }

    /// What is sent comes back.
    pub(crate) fn echo(path: &str, frame: Option<usize>) -> Self {
        Self { echo: Some(path.to_owned()), frame: frame.unwrap_or(0) }
    }

    /// Octets of a payload whose frame has as many as are asked for.
    fn payload(&self) -> usize {
        match self.frame {
            ..130 => self.frame.saturating_sub(2),
            130..65_540 => self.frame - 4,
            _ => self.frame - LARGEST_HEADER,
        }
    }
}

impl Dialect for Raw {
    fn request_target(&self, role: Role) -> String {
        match (&self.echo, role) {
            (Some(path), _) => path.clone(),
            (None, Role::Subscriber) => "/sub".to_owned(),
            (None, Role::Publisher) => "/pub".to_owned(),
        }
    }

    fn headers(&self) -> Vec<(String, String)> {
        Vec::new()
    }

    fn opening(&self, _: Role, _: usize, _: &[usize]) -> Vec<Step> {
        Vec::new()
    }

    fn publish(&self, _: usize, body: &[u8], out: &mut Vec<u8>) {
        let end = out.len() + self.payload().max(body.len());
        out.extend_from_slice(body);
        out.resize(end, b'x');
    }

    fn answer(&self, _: &[u8]) -> Option<Vec<u8>> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::websocket;

    #[test]
    fn an_echo_has_as_many_octets_as_what_it_is_compared_with() {
        for frame in [100, 127, 130, 242, 65_539, 65_546, 70_000] {
            let (mut payload, mut octets) = (Vec::new(), Vec::new());
            Raw::echo("/echo", Some(frame)).publish(0, b"body", &mut payload);
            websocket::write_frame(websocket::TEXT, &payload, &mut octets);
            assert_eq!(octets.len(), frame);
        }
    }
}
