//! How long SQL may chain: `a OR b OR c ..` and `SELECT .. UNION SELECT ..` nest as deep as they are long, though no
//! parenthesis stands in them.

use std::ops::ControlFlow;

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::sqlparser::ast::{Statement, visit_relations};
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};
use lockgate_project::Code;

use crate::problem::Problem;

/// The most operators of one statement.
pub const SQL_OPERATORS_MAX: usize = 500;
/// The most tables that one statement names, each as often as it is named.
pub const SQL_RELATIONS_MAX: usize = 64;

/// Words that chain what stands before them with what comes after.
const CHAINING_WORDS: [&str; 22] = [
    "AND",
    "OR",
    "XOR",
    "IS",
    "ISNULL",
    "NOTNULL",
    "NOT",
    "IN",
    "BETWEEN",
    "LIKE",
    "ILIKE",
    "SIMILAR",
    "RLIKE",
    "REGEXP",
    "OVERLAPS",
    "COLLATE",
    "AT",
    "DIV",
    "UNION",
    "INTERSECT",
    "EXCEPT",
    "MINUS",
];

/// Refuses a statement with too many operators. Lists of values and of columns do not count.
pub(crate) fn refuse_long_chains(tokens: &[TokenWithSpan]) -> Result<(), Box<Problem>> {
    let chaining = tokens.iter().filter(|token| chains(&token.token)).count();
    match chaining > SQL_OPERATORS_MAX {
        false => Ok(()),
        true => {
            let message = format!("the SQL has {chaining} operators; the most is {SQL_OPERATORS_MAX}");
            Err(Box::new(Problem::new(Code::SqlLimit, message).help("compare with a list: `x IN (..)`, or split it")))
        }
    }
}

/// Refuses a statement that names too many tables: every row would carry the sources of all of them.
pub(crate) fn refuse_many_relations(statement: &Statement) -> Result<(), Box<Problem>> {
    let mut named = 0;
    let _: ControlFlow<()> = visit_relations(statement, |_| {
        named += 1;
        ControlFlow::Continue(())
    });
    match named > SQL_RELATIONS_MAX {
        false => Ok(()),
        true => {
            let message = format!("the SQL names {named} tables; the most is {SQL_RELATIONS_MAX}");
            Err(Box::new(Problem::new(Code::SqlLimit, message).help("split it")))
        }
    }
}

/// Refuses a plan that scans too many tables, those of views included.
pub(crate) fn refuse_many_scans(plan: &LogicalPlan) -> Result<(), Box<Problem>> {
    let mut scans = 0;
    let counted = plan.apply_with_subqueries(|node| {
        scans += usize::from(matches!(node, LogicalPlan::TableScan(_)));
        Ok(if scans > SQL_RELATIONS_MAX { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    });
    match counted.is_err() || scans > SQL_RELATIONS_MAX {
        false => Ok(()),
        true => {
            let message = format!("the SQL reads more than {SQL_RELATIONS_MAX} tables, those of views included");
            Err(Box::new(Problem::new(Code::SqlLimit, message).help("split it")))
        }
    }
}

/// Whether a token chains. What is not known to end an expression does.
fn chains(token: &Token) -> bool {
    match token {
        Token::Word(word) => {
            word.quote_style.is_none() && CHAINING_WORDS.contains(&word.value.to_ascii_uppercase().as_str())
        }
        Token::EOF
        | Token::Number(_, _)
        | Token::Char(_)
        | Token::SingleQuotedString(_)
        | Token::DoubleQuotedString(_)
        | Token::Comma
        | Token::Whitespace(_)
        | Token::Period
        | Token::LParen
        | Token::RParen
        | Token::RBracket
        | Token::LBrace
        | Token::RBrace
        | Token::SemiColon => false,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use datafusion::sql::sqlparser::dialect::GenericDialect;
    use datafusion::sql::sqlparser::tokenizer::Tokenizer;

    use super::*;

    fn is_refused(sql: &str) -> bool {
        refuse_long_chains(&Tokenizer::new(&GenericDialect {}, sql).tokenize_with_location().unwrap()).is_err()
    }

    #[test]
    fn chains_count_and_lists_do_not() {
        let chain = |operator: &str, count: usize| format!("SELECT 1{}", format!(" {operator} 1").repeat(count));
        for operator in ["OR", "AND", "+", "||", "=", "::int -", "IS NULL OR", "UNION ALL SELECT", "LIKE"] {
            let each = operator.split(' ').filter(|word| !["SELECT", "ALL", "NULL"].contains(word)).count();
            let each = each + usize::from(operator.starts_with("::"));
            let most = SQL_OPERATORS_MAX / each.max(1);
            assert!(is_refused(&chain(operator, SQL_OPERATORS_MAX + 1)), "{operator}");
            assert!(!is_refused(&chain(operator, most.min(300))), "{operator}");
        }
        assert!(!is_refused(&chain("OR", SQL_OPERATORS_MAX)));
        assert!(!is_refused(&format!("SELECT x IN ({})", vec!["1"; 20_000].join(", "))));
    }
}
