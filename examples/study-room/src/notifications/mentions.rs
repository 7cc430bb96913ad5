//! Whom a text names: `@Ada`, `@ada lovelace`. Names may have blanks in them, so each `@` may mean several.

/// The longest name, in characters.
const LONGEST_NAME: usize = 24;

/// How many `@` of one message count; the others are text.
const MOST: usize = 10;

/// For each `@` that may begin a mention, the names that may stand behind it, the longest first.
pub(super) fn names(text: &str) -> Vec<Vec<String>> {
    let chars: Vec<char> = text.chars().collect();
    let begins = |at: usize| chars[at] == '@' && (at == 0 || !chars[at - 1].is_alphanumeric());
    let mentions = (0..chars.len()).filter(|at| begins(*at)).map(|at| names_at(&chars[at + 1..]));
    mentions.filter(|names| !names.is_empty()).take(MOST).collect()
}

/// The names that a text may begin with: up to the end of each word, and up to each mark behind one.
fn names_at(chars: &[char]) -> Vec<String> {
    let mark = |char: char| matches!(char, '-' | '.' | '_');
    let fits = |char: char| char.is_alphanumeric() || char == ' ' || mark(char);
    let run = chars.iter().take(LONGEST_NAME).take_while(|char| fits(**char)).count();
    let is_inside_a_word = |end: usize| chars.get(end).is_some_and(|char| char.is_alphanumeric());
    let ends = |end: &usize| mark(chars[end - 1]) || (chars[end - 1].is_alphanumeric() && !is_inside_a_word(*end));
    if chars.first() == Some(&' ') {
        return Vec::new();
    }
    (1..=run).rev().filter(ends).map(|end| chars[..end].iter().collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mention_may_end_with_each_of_its_words() {
        for (text, expected) in [
            ("@Ada, look", vec![vec!["Ada"]]),
            ("Thanks @ada lovelace!", vec![vec!["ada lovelace", "ada"]]),
            ("(@小林)", vec![vec!["小林"]]),
            ("@J.-P. S_2", vec![vec!["J.-P. S_2", "J.-P. S_", "J.-P. S", "J.-P.", "J.-P", "J.-", "J.", "J"]]),
            ("@Bob@Cy", vec![vec!["Bob"]]),
            ("@Bob @Cy", vec![vec!["Bob"], vec!["Cy"]]),
            ("mail@example.com, @, @ Ada, @!", vec![]),
        ] {
            assert_eq!(names(text), expected, "{text}");
        }
    }

    #[test]
    fn names_and_mentions_are_bounded() {
        let (longest, longer) = ("x".repeat(LONGEST_NAME), "x".repeat(LONGEST_NAME + 1));
        assert_eq!(names(&format!("@{longest}")), [[longest]]);
        assert!(names(&format!("@{longer}")).is_empty());
        assert_eq!(names(&"@Ada ".repeat(MOST + 1)).len(), MOST);
    }
}
