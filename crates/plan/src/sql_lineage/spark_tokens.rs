//! What Spark SQL writes with a star or by name becomes what the parser reads; places stay where they were.
//!
//! ```text
//! WHEN MATCHED THEN UPDATE SET *       ──►   UPDATE SET lockgate_every_column = lockgate_every_column
//! WHEN NOT MATCHED THEN INSERT *       ──►   INSERT VALUES (lockgate_every_column)
//! INSERT INTO t BY NAME SELECT …       ──►   INSERT INTO t SELECT …, and the columns go by their names
//! SELECT * FROM t                      stays
//! ```

use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Word};

/// Stands for every column of the target; no column has this name, since the prefix is reserved.
pub(super) const EVERY_COLUMN: &str = "lockgate_every_column";

/// The tokens as the parser reads them, and whether an INSERT goes by the names of its columns.
pub(super) fn rewrite(tokens: Vec<TokenWithSpan>) -> (Vec<TokenWithSpan>, bool) {
    let mut written: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    let mut by_name = false;
    for token in tokens {
        let last = |words: &[&str]| ends_with(&written, words);
        if token.token == Token::Mul && last(&["UPDATE", "SET"]) {
            let assignment = [word(EVERY_COLUMN), Token::Eq, word(EVERY_COLUMN)];
            written.extend(assignment.map(|part| TokenWithSpan::new(part, token.span)));
        } else if token.token == Token::Mul && last(&["THEN", "INSERT"]) {
            let values = [word("VALUES"), Token::LParen, word(EVERY_COLUMN), Token::RParen];
            written.extend(values.map(|value| TokenWithSpan::new(value, token.span)));
        } else if is_word(&token.token, "NAME") && last(&["BY"]) && is_insert(&written) && !by_name {
            by_name = true;
            while written.pop().is_some_and(|token| !is_word(&token.token, "BY")) {}
        } else {
            written.push(token);
        }
    }
    (written, by_name)
}

fn word(text: &str) -> Token {
    Token::make_word(text, None)
}

fn is_word(token: &Token, word: &str) -> bool {
    matches!(token, Token::Word(Word { value, quote_style: None, .. }) if value.eq_ignore_ascii_case(word))
}

fn ends_with(tokens: &[TokenWithSpan], words: &[&str]) -> bool {
    let mut seen = tokens.iter().rev().map(|token| &token.token).filter(|token| !matches!(token, Token::Whitespace(_)));
    words.iter().rev().all(|word| seen.next().is_some_and(|token| is_word(token, word)))
}

/// Whether the tokens begin an INSERT that has no query yet: `UNION BY NAME` is another thing.
fn is_insert(tokens: &[TokenWithSpan]) -> bool {
    let at = |word: &str| tokens.iter().rposition(|token| is_word(&token.token, word));
    match (at("INSERT"), at("SELECT")) {
        (Some(insert), Some(select)) => insert > select,
        (Some(_), None) => true,
        (None, _) => false,
    }
}
