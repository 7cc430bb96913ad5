//! What all plots share: colours that suit a light and a dark page, text, and lines.

use std::fmt::Write;

/// The width of every plot.
pub(super) const WIDTH: f64 = 760.0;

/// The classes of marks that stand for different things.
pub(super) const SERIES: usize = 6;

/// The colours belong to the page that shows the plot: dark ink on a light one, light on a dark one.
const STYLE: &str = "\
text{font:13px system-ui,sans-serif;fill:#1f2328}.s{font-size:11px;fill:#59636e}.t{font-size:15px;font-weight:600}\
.g{stroke:#d1d9e0}.w{stroke:#1f2328}.l{fill:none;stroke-width:2}\
.c0{fill:#0969da;stroke:#0969da}.c1{fill:#8c959f;stroke:#8c959f}.c2{fill:#bc4c00;stroke:#bc4c00}\
.c3{fill:#1a7f37;stroke:#1a7f37}.c4{fill:#8250df;stroke:#8250df}.c5{fill:#bf3989;stroke:#bf3989}.l{fill:none}\
@media(prefers-color-scheme:dark){text{fill:#f0f6fc}.s{fill:#9198a1}.g{stroke:#3d444d}.w{stroke:#f0f6fc}\
.c0{fill:#4493f8;stroke:#4493f8}.c1{fill:#656c76;stroke:#656c76}.c2{fill:#db6d28;stroke:#db6d28}\
.c3{fill:#3fb950;stroke:#3fb950}.c4{fill:#ab7df8;stroke:#ab7df8}.c5{fill:#db61a2;stroke:#db61a2}.l{fill:none}}";

/// A plot that is being drawn.
#[derive(Debug)]
pub(super) struct Drawing {
    body: String,
    height: f64,
    title: String,
}

/// Where a text stands to its point.
#[derive(Clone, Copy, Debug)]
pub(super) enum Anchor {
    /// Before it.
    End,
    /// Around it.
    Middle,
    /// Behind it.
    Start,
}

impl Drawing {
    pub(super) fn new(title: &str, height: f64) -> Self {
        let mut drawing = Self { body: String::new(), height, title: title.to_owned() };
        drawing.text(12.0, 24.0, "t", Anchor::Start, title);
        drawing
    }

    pub(super) fn text(&mut self, x: f64, y: f64, class: &str, anchor: Anchor, text: &str) {
        let anchor = match anchor {
            Anchor::End => "end",
            Anchor::Middle => "middle",
            Anchor::Start => "start",
        };
        let text = escape(text);
        self.add(format_args!("<text x='{x:.1}' y='{y:.1}' class='{class}' text-anchor='{anchor}'>{text}</text>\n"));
    }

    pub(super) fn line(&mut self, from: (f64, f64), to: (f64, f64), class: &str) {
        let ((x1, y1), (x2, y2)) = (from, to);
        self.add(format_args!("<line x1='{x1:.1}' y1='{y1:.1}' x2='{x2:.1}' y2='{y2:.1}' class='{class}'/>\n"));
    }

    pub(super) fn rectangle(&mut self, corner: (f64, f64), size: (f64, f64), class: &str) {
        let ((x, y), (width, height)) = (corner, size);
        self.add(format_args!(
            "<rect x='{x:.1}' y='{y:.1}' width='{width:.1}' height='{height:.1}' rx='2' class='{class}'/>\n"
        ));
    }

    pub(super) fn dot(&mut self, at: (f64, f64), class: &str) {
        let (x, y) = at;
        self.add(format_args!("<circle cx='{x:.1}' cy='{y:.1}' r='3.5' class='{class}'/>\n"));
    }

    pub(super) fn path(&mut self, points: &[(f64, f64)], class: &str) {
        let points: Vec<_> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        self.add(format_args!("<polyline points='{}' class='l {class}'/>\n", points.join(" ")));
    }

    pub(super) fn finish(self) -> String {
        let Self { body, height, title } = self;
        let title = escape(&title);
        format!(
            "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {height:.0}' role='img' aria-label='{title}'>\n\
             <title>{title}</title>\n<style>{STYLE}</style>\n{body}</svg>\n"
        )
    }

    fn add(&mut self, element: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = self.body.write_fmt(element);
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_end_an_element_or_an_attribute() {
        let svg = Drawing::new("a <b> & 'c'", 100.0).finish();
        assert!(svg.contains("aria-label='a &lt;b&gt; &amp; &#39;c&#39;'"), "{svg}");
    }
}
