//! S-02: the decoder as a whole. However octets are cut it makes the same of them; a slow and simple decoder makes the
//! same of them too; and its work grows with the octets, not with the pieces.

mod support;

use bytes::Bytes;
use parlor_stomp::{Command, Decoder, Frame, Headers, Limits, Version};
use proptest::prelude::*;
use support::decode;

/// Limits that short inputs reach.
fn tight() -> Limits {
    Limits::default().max_body_bytes(8).max_connect_bytes(60).max_head_bytes(50).max_header_bytes(20).max_headers(3)
}

/// A decoder that reads everything from the start again, for frames without limits: what came whole, and whether what
/// follows is no frame.
fn reference(version: Option<Version>, mut octets: &[u8]) -> (Vec<Frame>, bool) {
    let mut frames = Vec::new();
    loop {
        while let Some(rest) = octets.strip_prefix(b"\n").or_else(|| octets.strip_prefix(b"\r\n")) {
            octets = rest;
        }
        match reference_frame(version, octets) {
            Ok(Some((frame, rest))) => {
                frames.push(frame);
                octets = rest;
            }
            Ok(None) => return (frames, false),
            Err(()) => return (frames, true),
        }
    }
}

/// The frame at the start, and what follows it; none while it is incomplete.
fn reference_frame(version: Option<Version>, octets: &[u8]) -> Result<Option<(Frame, &[u8])>, ()> {
    let crlf = !matches!(version, Some(Version::V1_0 | Version::V1_1));
    let ends: &[&str] = if crlf { &["\n", "\r\n"] } else { &["\n"] };
    let starts = |line: String| line.as_bytes().starts_with(octets) || octets.starts_with(line.as_bytes());
    let lines = Command::ALL.iter().flat_map(|command| ends.iter().map(move |end| format!("{command}{end}")));
    if !lines.chain(["\r\n".to_owned()]).any(starts) {
        return Err(());
    }
    let mut frame: Option<Frame> = None;
    let mut rest = octets;
    loop {
        let Some(end) = rest.iter().position(|octet| matches!(octet, b'\n' | 0)) else { return Ok(None) };
        let (line, after) = (&rest[..end], &rest[end + 1..]);
        if rest[end] == 0 {
            return Err(());
        }
        rest = after;
        let line = std::str::from_utf8(line).map_err(|_| ())?;
        let line = if crlf { line.strip_suffix('\r').unwrap_or(line) } else { line };
        let Some(frame) = &mut frame else {
            let command = Command::ALL.iter().find(|command| command.as_str() == line).ok_or(())?;
            frame = Some(Frame::new(*command));
            continue;
        };
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').ok_or(())?;
        if name.is_empty() || (crlf && line.contains('\r')) {
            return Err(());
        }
        let version = version.filter(|_| !matches!(frame.command, Command::Connect | Command::Stomp));
        let (name, value) = (reference_value(version, name)?, reference_value(version, value)?);
        let is_number = |text: &str| !text.is_empty() && text.chars().all(|char| char.is_ascii_digit());
        if name == "content-length" && frame.headers.get("content-length").is_none() && !is_number(&value) {
            return Err(());
        }
        frame.headers.push(&name, &value);
    }
    let Some(frame) = frame else { return Err(()) };
    let length = match frame.headers.get("content-length") {
        Some(length) => length.parse().unwrap_or(usize::MAX),
        None => rest.iter().position(|octet| *octet == 0).unwrap_or(usize::MAX),
    };
    match rest.get(length) {
        None => Ok(None),
        Some(0) => Ok(Some((frame.with_body(rest[..length].to_vec()), &rest[length + 1..]))),
        Some(_) => Err(()),
    }
}

/// Escapes are replaced one version at a time, with backslashes out of the way.
fn reference_value(version: Option<Version>, text: &str) -> Result<String, ()> {
    let escapes: &[(&str, &str)] = match version {
        None | Some(Version::V1_0) => return Ok(text.to_owned()),
        Some(Version::V1_1) => &[("\\n", "\n"), ("\\c", ":")],
        Some(Version::V1_2) => &[("\\n", "\n"), ("\\c", ":"), ("\\r", "\r")],
    };
    let parts: Vec<_> = text
        .split("\\\\")
        .map(|part| {
            let part = escapes.iter().fold(part.to_owned(), |part, (escape, meant)| part.replace(escape, meant));
            if part.contains('\\') { Err(()) } else { Ok(part) }
        })
        .collect::<Result<_, _>>()?;
    Ok(parts.join("\\"))
}

/// Octets that look like frames now and then, with everything in them that matters to a decoder.
fn octets() -> impl Strategy<Value = Vec<u8>> {
    let parts = [
        "SEND\n",
        "SEND\r\n",
        "CONNECT\n",
        "MESSAGE\n",
        "SE",
        "\n",
        "\n\n",
        "\r\n",
        "\r",
        "\0",
        ":",
        "a:b\n",
        "name:",
        "receipt:r1\n",
        "destination:/topic/a\n",
        "content-length:3\n",
        "content-length:",
        "3",
        "99999999999999999999",
        "abc",
        "\\n",
        "\\c",
        "\\r",
        "\\\\",
        "\\t",
        "\\",
        "\u{e4}",
        "SEND\n\n\0",
        "SEND\na:b\n\nabc\0",
        "SEND\ncontent-length:3\n\na\0c\0",
        "SEND\na:b\nc:d\ne:f\n\n\0",
        "SEND\n\n12345678\0",
    ];
    let part = prop_oneof![
        12 => proptest::sample::select(parts.map(str::as_bytes).to_vec()).prop_map(<[u8]>::to_vec),
        1 => proptest::collection::vec(any::<u8>(), 1..4),
    ];
    proptest::collection::vec(part, 0..24).prop_map(|parts| parts.concat())
}

fn version() -> impl Strategy<Value = Option<Version>> {
    proptest::sample::select(vec![None, Some(Version::V1_0), Some(Version::V1_1), Some(Version::V1_2)])
}

/// The octets, cut behind each of the places.
fn cut(octets: &[u8], mut places: Vec<usize>) -> Vec<&[u8]> {
    places.push(octets.len());
    places.sort_unstable();
    let mut start = 0;
    places.into_iter().map(|place| &octets[std::mem::replace(&mut start, place)..place]).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    /// WS-06: the same frames and the same fault, however the octets are cut. The receipt of a fault is one that was
    /// asked for, or none where it had not come yet.
    #[test]
    fn pieces_make_no_difference(
        version in version(),
        (octets, places) in octets().prop_flat_map(|octets| {
            let places = proptest::collection::vec(0..=octets.len(), 0..8);
            (Just(octets), places)
        }),
        is_tight in any::<bool>(),
    ) {
        let limits = if is_tight { tight() } else { Limits::unlimited() };
        let (frames, fault) = decode(version, &limits, [&octets[..]]);
        for pieces in [cut(&octets, places), octets.chunks(1).collect()] {
            let (cut_frames, cut_fault) = decode(version, &limits, pieces);
            prop_assert_eq!(&cut_frames, &frames);
            prop_assert_eq!(cut_fault.as_ref().map(|fault| &fault.code), fault.as_ref().map(|fault| &fault.code));
            let receipts = [&cut_fault, &fault].map(|fault| fault.as_ref().and_then(|fault| fault.receipt.clone()));
            prop_assert!(receipts[0].is_none() || receipts[0] == receipts[1], "{receipts:?}");
        }
    }

    /// FRM, ENC and BODY at once: two decoders that were written apart agree.
    #[test]
    fn a_slow_decoder_agrees(version in version(), octets in octets()) {
        let (frames, fault) = decode(version, &Limits::unlimited(), [&octets[..]]);
        let (expected, is_bad) = reference(version, &octets);
        prop_assert_eq!(frames, expected);
        prop_assert_eq!(fault.is_some(), is_bad, "{:?}", fault);
    }

    /// Plain noise, without any help to look like frames.
    #[test]
    fn noise_never_panics(version in version(), octets in proptest::collection::vec(any::<u8>(), 0..400)) {
        for limits in [tight(), Limits::default(), Limits::unlimited()] {
            decode(version, &limits, octets.chunks(7));
        }
    }

    /// Limits: no frame that is handed out is beyond them.
    #[test]
    fn no_frame_is_beyond_its_limits(octets in octets()) {
        let (frames, _) = decode(Some(Version::V1_1), &tight(), [&octets[..]]);
        for Frame { headers, body, .. } in frames {
            prop_assert!(headers.len() <= 3 && body.len() <= 8);
            prop_assert!(headers.iter().all(|(name, value)| name.len() + value.len() <= 20));
        }
    }
}

/// A MiB in pieces of one octet: were each piece to look at all octets before it, this would take days.
#[test]
fn work_grows_with_the_octets_and_not_with_the_pieces() {
    let body = vec![b'x'; 1024 * 1024];
    for head in ["SEND\n\n".to_owned(), format!("SEND\ncontent-length:{}\n\n", body.len())] {
        let octets = [head.as_bytes(), &body, b"\0"].concat();
        let limits = Limits::default().max_body_bytes(body.len());
        let (frames, fault) = decode(Some(Version::V1_2), &limits, octets.chunks(1));
        assert_eq!((frames.len(), fault), (1, None));
        assert_eq!(frames[0].body, body);
    }
    let line = [b"SEND\nname:", &body[..], b"\n\n\0"].concat();
    let (frames, fault) = decode(Some(Version::V1_2), &Limits::unlimited(), line.chunks(1));
    assert_eq!((frames.len(), fault), (1, None));
}

/// A body that lies in one piece is not copied.
#[test]
fn a_body_in_one_piece_shares_its_memory() {
    for head in ["SEND\n\n", "SEND\ncontent-length:5\n\n"] {
        let piece = Bytes::from([head.as_bytes(), b"hello\0"].concat());
        let mut decoder = Decoder::new(Limits::default());
        decoder.push(piece.clone());
        let frame = decoder.decode().unwrap().unwrap();
        assert_eq!(frame.body.as_ptr(), piece[head.len()..].as_ptr());
    }
    let piece = Bytes::from_static(b"hello\0");
    let mut decoder = Decoder::new(Limits::default());
    decoder.push(Bytes::from_static(b"SEND\n\n"));
    assert_eq!(decoder.decode(), Ok(None));
    decoder.push(piece.clone());
    assert_eq!(decoder.decode().unwrap().unwrap().body.as_ptr(), piece.as_ptr(), "nor one behind its head");
}

#[test]
fn a_frame_is_built_as_it_is_read() {
    let (frames, _) = decode(Some(Version::V1_2), &Limits::default(), [&b"SEND\na:b\n\nhi\0"[..]]);
    assert_eq!(frames, [Frame::new(Command::Send).with_header("a", "b").with_body("hi")]);
    assert_eq!(frames[0].headers, [("a", "b")].into_iter().collect::<Headers>());
}

#[test]
fn what_was_decoded_holds_no_buffer() {
    for octets in [
        &b"SEND\ndestination:/topic/a\n\nhello\0\n"[..],
        b"\n\n",
        b"SEND\ndestin",
        b"SEND\ndestination:/topic/a\n\nhel",
    ] {
        let mut decoder = Decoder::new(Limits::default());
        decoder.set_version(Version::V1_2);
        let buffer = Bytes::from(octets.to_vec());
        decoder.push(buffer.clone());
        while let Some(frame) = decoder.decode().unwrap() {
            drop(frame);
        }
        assert!(buffer.is_unique(), "{:?}", String::from_utf8_lossy(octets));
    }
}
