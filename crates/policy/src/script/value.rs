//! Values of a script, and how JavaScript turns one kind into another.

use std::cmp::Ordering;
use std::sync::Arc;

use super::limits::ScriptFault;

/// What an expression gives. Values can't be changed, only replaced.
#[derive(Debug, Clone)]
pub enum Value {
    /// `undefined`
    Undefined,
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number.
    Number(f64),
    /// A text. JavaScript counts its length in UTF-16; half of a pair can't be cut off, it becomes U+FFFD.
    Text(Arc<str>),
    /// A list.
    List(Arc<ScriptList>),
    /// A map from names to values.
    Map(Arc<ScriptMap>),
    /// A moment, in milliseconds since 1970.
    Date(i64),
}

/// Where a list or map comes from, which decides what methods it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// From the script or from JSON: an array or object of JavaScript.
    Script,
    /// From a method of `ctx` or `tag`: a collection of Java.
    Java,
}

/// A list of values.
#[derive(Debug, Clone)]
pub struct ScriptList {
    depth: usize,
    pub(super) origin: Origin,
    pub(super) items: Vec<Value>,
}

/// A map from names to values, in the order in which they were given.
#[derive(Debug, Clone)]
pub struct ScriptMap {
    depth: usize,
    pub(super) origin: Origin,
    pub(super) entries: Vec<(Arc<str>, Value)>,
}

impl ScriptMap {
    pub(super) fn new(origin: Origin, entries: Vec<(Arc<str>, Value)>) -> Self {
        let depth = 1 + entries.iter().map(|(_, value)| value.depth()).max().unwrap_or(0);
        Self { depth, origin, entries }
    }

    pub(super) fn value(&self, name: &str) -> Option<&Value> {
        self.entries.iter().find(|(key, _)| &**key == name).map(|(_, value)| value)
    }

    /// Replaces the value of that name, or adds it.
    pub(super) fn put(&mut self, name: &str, value: Value) {
        self.depth = self.depth.max(1 + value.depth());
        match self.entries.iter_mut().find(|(key, _)| &**key == name) {
            Some((_, before)) => *before = value,
            None => self.entries.push((name.into(), value)),
        }
    }
}

impl Value {
    /// A text.
    pub fn text(text: &str) -> Self {
        Self::Text(text.into())
    }

    pub(super) fn texts<'a>(origin: Origin, texts: impl IntoIterator<Item = &'a str>) -> Self {
        Self::list(origin, texts.into_iter().map(Self::text).collect())
    }

    pub(super) fn list(origin: Origin, items: Vec<Self>) -> Self {
        let depth = 1 + items.iter().map(Self::depth).max().unwrap_or(0);
        Self::List(Arc::new(ScriptList { depth, origin, items }))
    }

    pub(super) fn map(origin: Origin, entries: Vec<(Arc<str>, Self)>) -> Self {
        Self::Map(Arc::new(ScriptMap::new(origin, entries)))
    }

    pub(super) fn optional(text: Option<&str>) -> Self {
        text.map_or(Self::Null, Self::text)
    }

    /// How deep lists and maps hold one another.
    pub(super) fn depth(&self) -> usize {
        match self {
            Self::List(list) => list.depth,
            Self::Map(map) => map.depth,
            _ => 0,
        }
    }

    /// The boolean that it is; no other kind is turned into one.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(bool) => Some(*bool),
            _ => None,
        }
    }

    /// Whether it is `null` or `undefined`.
    pub fn is_nothing(&self) -> bool {
        matches!(self, Self::Undefined | Self::Null)
    }

    /// Whether `if` takes it for true.
    pub fn is_truthy(&self) -> bool {
        match self {
            Self::Undefined | Self::Null => false,
            Self::Bool(bool) => *bool,
            Self::Number(number) => *number != 0.0 && !number.is_nan(),
            Self::Text(text) => !text.is_empty(),
            Self::List(_) | Self::Map(_) | Self::Date(_) => true,
        }
    }

    /// The text that JavaScript turns it into, at most so long.
    pub(super) fn to_text(&self, most: usize) -> Option<Arc<str>> {
        if let Self::Text(text) = self {
            return (text.len() <= most).then(|| text.clone());
        }
        let mut out = String::new();
        self.write(&mut out, most).then(|| out.into())
    }

    /// Appends its text; whether `out` stayed below `most` bytes.
    pub(super) fn write(&self, out: &mut String, most: usize) -> bool {
        match self {
            Self::Undefined => out.push_str("undefined"),
            Self::Null => out.push_str("null"),
            Self::Bool(bool) => out.push_str(if *bool { "true" } else { "false" }),
            Self::Number(number) => out.push_str(&number_text(*number)),
            Self::Text(text) if text.len() <= most.saturating_sub(out.len()) => out.push_str(text),
            Self::Text(_) => return false,
            Self::Date(milliseconds) => out.push_str(&milliseconds.to_string()),
            Self::Map(_) => out.push_str("[object Object]"),
            Self::List(list) => {
                for (index, item) in list.items.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    if !item.is_nothing() && !item.write(out, most) {
                        return false;
                    }
                }
            }
        }
        out.len() <= most
    }

    /// The number that JavaScript turns it into. What can't be turned into a text of `most` bytes is no number.
    pub(super) fn to_number(&self, most: usize) -> f64 {
        match self {
            Self::Undefined | Self::Map(_) => f64::NAN,
            Self::Null => 0.0,
            Self::Bool(bool) => f64::from(u8::from(*bool)),
            Self::Number(number) => *number,
            Self::Text(text) => text_number(text),
            Self::List(_) => self.to_text(most).map_or(f64::NAN, |text| text_number(&text)),
            Self::Date(milliseconds) => whole_number(*milliseconds),
        }
    }

    /// Whether it is one of those that JavaScript compares by identity.
    fn is_object(&self) -> bool {
        matches!(self, Self::List(_) | Self::Map(_))
    }

    /// `===`
    pub(super) fn strictly_equals(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Undefined, Self::Undefined) | (Self::Null, Self::Null) => true,
            (Self::Bool(left), Self::Bool(right)) => left == right,
            (Self::Number(left), Self::Number(right)) => left == right,
            (Self::Text(left), Self::Text(right)) => left == right,
            (Self::List(left), Self::List(right)) => Arc::ptr_eq(left, right),
            (Self::Map(left), Self::Map(right)) => Arc::ptr_eq(left, right),
            (Self::Date(left), Self::Date(right)) => left == right,
            _ => false,
        }
    }

    /// `==`
    pub(super) fn loosely_equals(&self, other: &Self, most: usize) -> bool {
        match (self, other) {
            (left, right) if left.is_nothing() || right.is_nothing() => left.is_nothing() && right.is_nothing(),
            (left, right) if left.is_object() && right.is_object() => left.strictly_equals(right),
            (Self::Text(left), Self::Text(right)) => left == right,
            (left @ (Self::List(_) | Self::Map(_)), Self::Text(right)) => {
                left.to_text(most).is_some_and(|left| left == *right)
            }
            (Self::Text(left), right) if right.is_object() => right.to_text(most).is_some_and(|right| *left == right),
            (left, right) => left.to_number(most) == right.to_number(most),
        }
    }

    /// How `<` and the like see two values; none where one is no number.
    pub(super) fn compare(&self, other: &Self, most: usize) -> Option<Ordering> {
        let texts = |value: &Self| matches!(value, Self::Text(_) | Self::List(_) | Self::Map(_));
        if texts(self) && texts(other) {
            // JavaScript orders by UTF-16 units.
            let (left, right) = (self.to_text(most)?, other.to_text(most)?);
            return Some(left.encode_utf16().cmp(right.encode_utf16()));
        }
        self.to_number(most).partial_cmp(&other.to_number(most))
    }

    /// A whole number for an index: no number is 0, and one beyond a `f64`'s exact range ends there.
    pub(super) fn to_index(&self, most: usize) -> i64 {
        const FARTHEST: f64 = 9_007_199_254_740_991.0;
        let number = self.to_number(most);
        if number.is_nan() {
            return 0;
        }
        // Between the two ends a `f64` is an `i64` exactly once it is cut to a whole number.
        #[expect(clippy::cast_possible_truncation, reason = "clamped to the exact range just before")]
        let index = number.clamp(-FARTHEST, FARTHEST).trunc() as i64;
        index
    }

    /// `typeof`
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Undefined => "undefined",
            Self::Bool(_) => "boolean",
            Self::Number(_) => "number",
            Self::Text(_) => "string",
            Self::Null | Self::List(_) | Self::Map(_) | Self::Date(_) => "object",
        }
    }

    /// What it is called in messages.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Undefined => "undefined",
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
            Self::Date(_) => "a date",
        }
    }

    /// What `value.name` is refused with where there is no value.
    pub(super) fn nothing_to_read(&self, name: &str) -> ScriptFault {
        ScriptFault::thrown(format!("`{name}` cannot be read of {}", self.kind()))
    }
}

/// A whole number as a `f64`; beyond 2^53 the nearest one.
pub(super) fn whole_number(number: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "JavaScript has no other numbers")]
    let number = number as f64;
    number
}

/// How many there are, as a number of the script.
pub(super) fn count(number: usize) -> Value {
    Value::Number(i64::try_from(number).map_or(f64::INFINITY, whole_number))
}

/// `String(number)`
fn number_text(number: f64) -> String {
    if number.is_nan() {
        return "NaN".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "Infinity".to_owned() } else { "-Infinity".to_owned() };
    }
    if number == 0.0 {
        return "0".to_owned();
    }
    if (1e-6..1e21).contains(&number.abs()) {
        return number.to_string();
    }
    let text = format!("{number:e}");
    match text.split_once('e') {
        Some((mantissa, exponent)) if !exponent.starts_with('-') => format!("{mantissa}e+{exponent}"),
        _ => text,
    }
}

/// `Number(text)`
pub(super) fn text_number(text: &str) -> f64 {
    let text = text.trim_matches(is_space);
    if text.is_empty() {
        return 0.0;
    }
    for (prefix, radix) in [("0x", 16), ("0X", 16), ("0o", 8), ("0O", 8), ("0b", 2), ("0B", 2)] {
        if let Some(digits) = text.strip_prefix(prefix) {
            return radix_number(digits, radix).unwrap_or(f64::NAN);
        }
    }
    match text {
        "Infinity" | "+Infinity" => f64::INFINITY,
        "-Infinity" => f64::NEG_INFINITY,
        // Rust knows names of numbers that JavaScript does not.
        _ if text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte)) => {
            text.parse().unwrap_or(f64::NAN)
        }
        _ => f64::NAN,
    }
}

/// A number of digits of a radix; none without digits.
pub(super) fn radix_number(digits: &str, radix: u32) -> Option<f64> {
    let mut number = 0.0;
    for digit in digits.chars() {
        number = number * f64::from(radix) + f64::from(digit.to_digit(radix)?);
    }
    (!digits.is_empty()).then_some(number)
}

/// What JavaScript takes for white space or the end of a line.
pub(super) fn is_space(char: char) -> bool {
    matches!(char, '\u{feff}') || (char.is_whitespace() && char != '\u{85}')
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: usize = 1000;

    #[test]
    fn numbers_are_written_as_javascript_writes_them() {
        for (number, text) in [
            (0.0, "0"),
            (-0.0, "0"),
            (1.0, "1"),
            (-2.5, "-2.5"),
            (0.1 + 0.2, "0.30000000000000004"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (1.5e-7, "1.5e-7"),
            (0.000_001, "0.000001"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            assert_eq!(number_text(number), text);
        }
    }

    #[test]
    fn texts_become_the_numbers_that_javascript_makes() {
        for (text, number) in [
            ("", 0.0),
            (" \n 12 ", 12.0),
            ("-1.5e2", -150.0),
            (".5", 0.5),
            ("5.", 5.0),
            ("+7", 7.0),
            ("0x1F", 31.0),
            ("0b101", 5.0),
            ("Infinity", f64::INFINITY),
        ] {
            assert!((text_number(text) - number).abs() < 1e-12 || text_number(text) == number, "{text}");
        }
        for text in ["inf", "infinity", "nan", "1,5", "1 2", "0x", "-0x1", "e5", "--1", "."] {
            assert!(text_number(text).is_nan(), "{text}");
        }
    }

    #[test]
    fn equality_turns_kinds_as_javascript_does() {
        let text = Value::text;
        let list = |items: &[&str]| Value::texts(Origin::Script, items.iter().copied());
        for (left, right, equal) in [
            (Value::Null, Value::Undefined, true),
            (Value::Null, Value::Number(0.0), false),
            (Value::Undefined, Value::Bool(false), false),
            (text("10"), Value::Number(10.0), true),
            (text(""), Value::Number(0.0), true),
            (text("x"), Value::Number(f64::NAN), false),
            (Value::Bool(true), text("1"), true),
            (Value::Bool(true), text("true"), false),
            (list(&["a", "b"]), text("a,b"), true),
            (list(&["7"]), Value::Number(7.0), true),
            (list(&["a"]), list(&["a"]), false),
            (Value::map(Origin::Script, Vec::new()), text("[object Object]"), true),
        ] {
            assert_eq!(left.loosely_equals(&right, MOST), equal, "{left:?} == {right:?}");
            assert_eq!(right.loosely_equals(&left, MOST), equal, "{right:?} == {left:?}");
        }
        let same = list(&["a"]);
        assert!(same.loosely_equals(&same.clone(), MOST) && same.strictly_equals(&same));
    }

    #[test]
    fn order_is_of_texts_or_of_numbers() {
        let text = Value::text;
        assert_eq!(text("10").compare(&text("9"), MOST), Some(Ordering::Less));
        assert_eq!(text("10").compare(&Value::Number(9.0), MOST), Some(Ordering::Greater));
        assert_eq!(Value::Undefined.compare(&Value::Number(9.0), MOST), None);
        assert_eq!(Value::Null.compare(&Value::Number(0.0), MOST), Some(Ordering::Equal));
        // U+FF5E comes before U+1F600 in code points, and behind its first half in UTF-16.
        assert_eq!(text("\u{ff5e}").compare(&text("\u{1f600}"), MOST), Some(Ordering::Greater));
    }

    #[test]
    fn a_text_has_a_greatest_length() {
        let list = Value::texts(Origin::Script, ["abc", "def"]);
        assert_eq!(list.to_text(7).as_deref(), Some("abc,def"));
        assert_eq!(list.to_text(6), None);
    }
}
