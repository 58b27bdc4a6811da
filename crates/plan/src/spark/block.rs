//! One SELECT of the text, open until something is put on top that needs it to be a table.

/// A SELECT that is being written. Texts name columns as `` `r1`.`id` ``, and each alias is given once in a statement, so a
/// name means the same wherever it stands.
#[derive(Debug, Clone)]
pub(super) struct Block {
    /// What each column of the plan's node is here; none where nothing above needs it.
    pub(super) columns: Vec<Option<String>>,
    /// What to call them in a subquery.
    pub(super) names: Vec<String>,
    /// Whether each column is the name of one in FROM, so that it may stand anywhere and any number of times.
    pub(super) is_plain: bool,
    /// Whether FROM is one table or subquery.
    pub(super) is_single: bool,
    pub(super) from: String,
    pub(super) filters: Vec<String>,
    /// GROUP BY, where there is one.
    pub(super) group: String,
    pub(super) order: Vec<String>,
    pub(super) limit: Option<usize>,
    pub(super) offset: usize,
}

impl Block {
    /// All of one table or subquery.
    pub(super) fn of(from: String, columns: Vec<Option<String>>, names: Vec<String>) -> Self {
        Self {
            columns,
            names,
            is_plain: true,
            is_single: true,
            from,
            filters: Vec::new(),
            group: String::new(),
            order: Vec::new(),
            limit: None,
            offset: 0,
        }
    }

    pub(super) fn is_cut(&self) -> bool {
        self.limit.is_some() || self.offset > 0
    }

    /// Whether it is nothing but its FROM.
    pub(super) fn is_bare(&self) -> bool {
        self.is_plain && self.filters.is_empty() && self.order.is_empty() && !self.is_cut()
    }

    /// The text, with these names for the columns that are needed.
    pub(super) fn text(&self, names: &[String], verb: &str) -> String {
        let items = self.columns.iter().zip(names);
        let items: Vec<String> = items
            .filter_map(|(column, name)| Some(format!("  {} AS {}", indented(column.as_ref()?), quoted(name))))
            .collect();
        let items = if items.is_empty() { "  1 AS `one`".to_owned() } else { items.join(",\n") };
        let mut text = format!("{verb}\n{items}\nFROM {}", self.from);
        if !self.filters.is_empty() {
            text.push_str(&format!("\nWHERE {}", indented(&self.filters.join("\nAND "))));
        }
        text.push_str(&self.group);
        if !self.order.is_empty() {
            text.push_str(&format!("\nORDER BY {}", self.order.join(", ")));
        }
        if let Some(limit) = self.limit {
            text.push_str(&format!("\nLIMIT {limit}"));
        }
        if self.offset > 0 {
            text.push_str(&format!("\nOFFSET {}", self.offset));
        }
        text
    }

    /// The same as a subquery in the FROM of another.
    pub(super) fn closed(&self, alias: &str) -> Self {
        self.closed_with(alias, "SELECT")
    }

    pub(super) fn closed_with(&self, alias: &str, verb: &str) -> Self {
        let names = distinct(&self.names);
        let text = self.text(&names, verb);
        Self::of_subquery(&text, alias, &self.columns, names)
    }

    /// A subquery with these names for its columns.
    pub(super) fn of_subquery(text: &str, alias: &str, columns: &[Option<String>], names: Vec<String>) -> Self {
        let from = format!("(\n  {}\n) AS {}", indented(text), quoted(alias));
        let named = columns.iter().zip(&names);
        let columns = named.map(|(column, name)| column.as_ref().map(|_| column_of(alias, name))).collect();
        Self::of(from, columns, names)
    }
}

/// The name of a column of a table or subquery.
pub(super) fn column_of(alias: &str, name: &str) -> String {
    format!("{}.{}", quoted(alias), quoted(name))
}

pub(super) fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// The text to be put further right: literals hold no line breaks, since those are escaped.
pub(super) fn indented(text: &str) -> String {
    text.replace('\n', "\n  ")
}

/// The names, each once whatever the case, and plain: what is no name becomes `c`.
fn distinct(names: &[String]) -> Vec<String> {
    let mut taken = std::collections::BTreeSet::new();
    let plain = |name: &str| {
        let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && !name.is_empty();
        if is_name { name.to_owned() } else { "c".to_owned() }
    };
    let one = |name: &String| {
        let base = plain(name);
        let numbered = (2..).map(|number| format!("{base}_{number}"));
        let mut free =
            std::iter::once(base.clone()).chain(numbered).filter(|name| !taken.contains(&name.to_lowercase()));
        let free = free.next().unwrap_or(base);
        taken.insert(free.to_lowercase());
        free
    };
    names.iter().map(one).collect()
}
