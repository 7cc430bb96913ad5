//! What a pattern's placeholders captured.

use std::sync::Arc;

use crate::destination::segments;

/// Captured segments by placeholder name, in the order of the pattern. Cheap to clone.
///
/// ```
/// use parlor_core::destination::{Destination, Pattern};
///
/// let pattern: Pattern = "/app/rooms/{room}/seats/{seat}".parse()?;
/// let destination: Destination = "/app/rooms/7/seats/window".parse()?;
/// let params = pattern.captures(&destination).unwrap();
/// assert_eq!((params.len(), params.get("seat")), (2, Some("window")));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Params {
    inner: Option<Arc<Captured>>,
}

#[derive(Debug)]
struct Captured {
    names: Arc<[(usize, Box<str>)]>,
    text: Arc<str>,
}

impl Params {
    /// `names` are the places of segments with the names of their placeholders, `text` is what they were captured of.
    pub(super) fn new(names: Arc<[(usize, Box<str>)]>, text: Arc<str>) -> Self {
        Self { inner: Some(Arc::new(Captured { names, text })) }
    }

    /// The segment that the placeholder `name` captured.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find_map(|(known, value)| (known == name).then_some(value))
    }

    /// All names and segments.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.inner.iter().flat_map(|captured| {
            captured
                .names
                .iter()
                .filter_map(|(place, name)| segments(&captured.text).nth(*place).map(|segment| (&**name, segment)))
        })
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.inner.as_ref().map_or(0, |captured| captured.names.len())
    }

    /// Whether the pattern had no placeholders.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
