//! Who is present by listening, and where.

use crate::{
    app::RouteError,
    destination::{Destination, Pattern, Template},
};

/// Who is present by listening.
#[derive(Clone, Debug)]
pub(super) enum Source {
    /// Nobody: those alone who are tracked.
    Nobody,
    /// Whoever listens to another destination, by its pattern and the place that belongs to it.
    Others(Pattern, Template),
    /// Whoever listens to the place itself.
    Subscribers,
    /// What is wrong with the others.
    Wrong(RouteError),
}

impl Source {
    /// Those who listen to `text`, a pattern, as those who are present at `places`.
    pub(super) fn others(text: &str, places: &Pattern) -> Result<Self, RouteError> {
        let pattern: Pattern = text.parse().map_err(|error| RouteError::pattern(text, error))?;
        let places = places.as_str();
        let template: Template = places.parse().map_err(|error| RouteError::pattern(places, error))?;
        let captured = |name: &str| pattern.placeholders().any(|captured| captured == name);
        if let Some(name) = template.placeholders().find(|name| !captured(name)) {
            let (place, of, placeholder) = (places.to_owned(), pattern.to_string(), name.to_owned());
            return Err(RouteError::UnknownPlace { place, of, placeholder });
        }
        Ok(Self::Others(pattern, template))
    }

    /// Where someone is who listens to `destination`; none where that makes nobody present.
    pub(super) fn place_of(&self, destination: &Destination, places: &Pattern) -> Option<Destination> {
        match self {
            Self::Nobody | Self::Wrong(_) => None,
            Self::Others(others, place) => place.expand(&others.captures(destination)?).ok(),
            Self::Subscribers => places.matches(destination).then(|| destination.clone()),
        }
    }
}
