//! An operator's condition is one expression over one table's columns, or it is refused.
//!
//! ```text
//! id = 4 AND email LIKE 'a%'         ─► SELECT "lockgate_rid" FROM "t" WHERE (id = 4 AND email LIKE 'a%')
//! 1=1) UNION SELECT … (, 1; DROP …   refused before the database sees it
//! ```

/// Refuses a text that could reach out of the parentheses it is put into, or that leaves a value open.
pub(crate) fn check(text: &str) -> Result<(), &'static str> {
    let mut depth = 0u32;
    let mut rest = text.chars();
    let mut empty = true;
    while let Some(character) = rest.next() {
        empty &= character.is_whitespace();
        match character {
            '\'' | '"' | '`' => close(&mut rest, character)?,
            '[' => close(&mut rest, ']')?,
            '(' => depth += 1,
            ')' => depth = depth.checked_sub(1).ok_or("it closes a parenthesis that it didn't open")?,
            ';' => return Err("it takes one expression, without `;`"),
            '-' if rest.as_str().starts_with('-') => return Err("comments are not allowed in it"),
            '/' if rest.as_str().starts_with('*') => return Err("comments are not allowed in it"),
            '?' | ':' | '@' | '$' | '#' => return Err("parameters are not allowed in it: write the value"),
            '\0' => return Err("a NUL character is not allowed in it"),
            _ => {}
        }
    }
    match (empty, depth) {
        (true, _) => Err("it is empty: write an expression such as `id = 4`"),
        (false, 0) => Ok(()),
        (false, _) => Err("a parenthesis is not closed in it"),
    }
}

/// Skips to the end of a quoted text. One quote written twice ends a text and begins the next, which comes to the same.
fn close(rest: &mut std::str::Chars<'_>, quote: char) -> Result<(), &'static str> {
    match rest.find(|character| *character == quote || *character == '\0') {
        Some(found) if found == quote => Ok(()),
        Some(_) => Err("a NUL character is not allowed in it"),
        None => Err("a quote is not closed in it"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_closed_expression_passes() {
        for good in [
            "id = 4",
            "name = 'a;b -- ? (' AND (x < 3)",
            "\"odd ) name\" IS NULL",
            "[odd ; name] = 1",
            "a - -1 > b / 2",
            "name = 'it''s'",
            "`x` = '?'",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for wrong in [
            "",
            "  ",
            "1=1; DROP TABLE t",
            "1=1) OR (1=1",
            "(1",
            "1)",
            "a -- b",
            "a /* b",
            "'open",
            "\"open",
            "[open",
            "id = ?",
            "id = :x",
            "id = @x",
            "id = $x",
            "a\0",
            "'a\0'",
            "'it'''s'",
        ] {
            assert!(check(wrong).is_err(), "{wrong}");
        }
    }
}
