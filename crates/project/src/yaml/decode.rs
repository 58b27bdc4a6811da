//! Nodes become typed values by their types' own rules, and one bad value does not hide the next.
//!
//! A [`Checked`] value that cannot be read is reported and left out; its neighbours are read on. Unknown keys are
//! reported with the nearest known one. An empty value is never taken for an absent key.
//!
//! ```text
//! { dataset: customers, colums: {…} }
//!                       └─ refused: unknown key, did you mean `columns`?
//! ```

use std::fmt;
use std::marker::PhantomData;
use std::ops::Range;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::value::StrDeserializer;
use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, IntoDeserializer, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

use super::{Context, Entry, Node, Scalar, Value};
use crate::source::quotable;
use crate::{Code, Diagnostic, suggest};

/// The name by which a [`Checked`] asks for its place.
const CHECKED: &str = "$lockgate::Checked";
/// The name by which an [`AnyScalar`] asks for a scalar of any type.
const ANY_SCALAR: &str = "$lockgate::AnyScalar";

/// Reads a whole file. `None` if it has not the shape of one; then at least one problem was reported.
pub(crate) fn decode<T: de::DeserializeOwned>(node: &Node, context: &Context<'_>) -> Option<T> {
    match T::deserialize(NodeDeserializer { node, context }) {
        Ok(value) => Some(value),
        Err(error) => {
            error.report(node, context);
            None
        }
    }
}

/// A value with its place; absent if it could not be read and was reported.
#[derive(Debug, Clone)]
pub(crate) struct Checked<T> {
    pub(crate) range: Range<usize>,
    pub(crate) value: Option<T>,
}

/// The entries of a mapping whose keys are names, in the order of the file.
#[derive(Debug, Clone)]
pub(crate) struct Entries<T>(pub(crate) Vec<(Checked<String>, Checked<T>)>);

/// The text of a scalar of any type, as it is written.
#[derive(Debug, Clone)]
pub(crate) struct AnyScalar(pub(crate) String);

/// What was wrong with a value, before its place is known.
#[derive(Debug)]
pub(crate) enum DecodeError {
    /// It was reported where it was found.
    Reported,
    /// A key is not there: by its name, and in what.
    Missing(&'static str),
    /// It is to be reported at the value that was being read.
    Found { code: Code, text: String, help: Option<String> },
}

impl DecodeError {
    fn new(code: Code, text: impl Into<String>, help: Option<String>) -> Self {
        Self::Found { code, text: text.into(), help }
    }

    fn report(self, node: &Node, context: &Context<'_>) {
        let (code, text, help) = match self {
            Self::Reported => return,
            Self::Missing(field) => return report_missing(field, node, context),
            Self::Found { code, text, help } => (code, text, help),
        };
        let text = match &node.value {
            Value::Scalar(Scalar { expanded: true, .. }) => {
                let shown = context.sources.quote(context.span(&node.range));
                format!("what `{shown}` expands to is not allowed here")
            }
            Value::Scalar(_) | Value::Sequence(_) | Value::Mapping(_) => text,
        };
        let mut diagnostic = Diagnostic::new(code, context.span(&node.range), text);
        diagnostic.help = help;
        context.report(diagnostic);
    }
}

/// Points at the first key of the mapping that lacks one, since a mapping may be long.
fn report_missing(field: &str, node: &Node, context: &Context<'_>) {
    let range = match &node.value {
        Value::Mapping(entries) => entries.first().map_or(&node.range, |entry| &entry.key_range),
        Value::Scalar(_) | Value::Sequence(_) => &node.range,
    };
    let place = if node.path.is_empty() { String::new() } else { format!(" in `{}`", node.path) };
    let diagnostic =
        Diagnostic::new(Code::MissingKey, context.span(range), format!("the key `{field}` is missing{place}"));
    context.report(diagnostic.with_help(format!("add `{field}:`")));
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reported => f.write_str("reported"),
            Self::Missing(field) => write!(f, "the key `{field}` is missing"),
            Self::Found { text, .. } => f.write_str(text),
        }
    }
}

impl std::error::Error for DecodeError {}

impl de::Error for DecodeError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(Code::InvalidValue, message.to_string(), None)
    }

    fn missing_field(field: &'static str) -> Self {
        Self::Missing(field)
    }
}

struct NodeDeserializer<'de, 'c> {
    node: &'de Node,
    context: &'c Context<'c>,
}

impl<'de> NodeDeserializer<'de, '_> {
    fn wrong_type(&self, expected: &str) -> DecodeError {
        let found = match &self.node.value {
            Value::Scalar(Scalar { broken: true, .. }) => return DecodeError::Reported,
            Value::Mapping(_) => "a mapping".to_owned(),
            Value::Sequence(_) => "a list".to_owned(),
            Value::Scalar(scalar) => match kind(scalar) {
                Kind::Nothing => "empty".to_owned(),
                Kind::Text => format!("the text `{}`", self.shown()),
                Kind::Number => format!("the number `{}`", self.shown()),
                Kind::Truth => format!("the truth value `{}`", self.shown()),
            },
        };
        let path = if self.node.path.is_empty() { "the file" } else { &format!("`{}`", self.node.path) };
        let help = match &self.node.value {
            Value::Scalar(scalar) if kind(scalar) == Kind::Nothing => "write a value, or remove the key".to_owned(),
            Value::Scalar(_) if expected == "text" => format!("put it in quotes: `\"{}\"`", self.shown()),
            Value::Scalar(_) | Value::Sequence(_) | Value::Mapping(_) => format!("write {expected} here"),
        };
        DecodeError::new(Code::WrongType, format!("{path} is {found}, and {expected} is expected"), Some(help))
    }

    fn shown(&self) -> String {
        self.context.sources.quote(self.context.span(&self.node.range))
    }

    fn text(&self) -> Result<&'de str, DecodeError> {
        match &self.node.value {
            Value::Scalar(scalar) if scalar.broken => Err(DecodeError::Reported),
            Value::Scalar(scalar) if kind(scalar) == Kind::Text => Ok(&scalar.text),
            Value::Scalar(_) | Value::Sequence(_) | Value::Mapping(_) => Err(self.wrong_type("text")),
        }
    }

    fn entries(&self, expected: &str) -> Result<&'de [Entry], DecodeError> {
        match &self.node.value {
            Value::Mapping(entries) => Ok(entries),
            Value::Scalar(_) | Value::Sequence(_) => Err(self.wrong_type(expected)),
        }
    }

    /// Reports the keys that are not among the fields. Gives the entries that are read on, each with its field: a
    /// misspelt key as the one that was probably meant, so that its value is checked as well.
    fn known_entries(&self, entries: &'de [Entry], fields: &'static [&'static str]) -> Vec<(&'de str, &'de Entry)> {
        let given = |field: &&str| entries.iter().any(|entry| entry.key == *field);
        let free: Vec<&'static str> = fields.iter().copied().filter(|field| !given(field)).collect();
        let mut known: Vec<(&str, &Entry)> = Vec::new();
        for entry in entries {
            if fields.contains(&entry.key.as_str()) {
                known.push((&entry.key, entry));
                continue;
            }
            let place = if self.node.path.is_empty() { String::new() } else { format!(" in `{}`", self.node.path) };
            let message = format!("unknown key `{}`{place}", quotable(&entry.key));
            let span = self.context.span(&entry.key_range);
            let mut diagnostic = Diagnostic::new(Code::UnknownKey, span, message);
            diagnostic.help = match suggest::nearest(&entry.key, free.iter().copied()) {
                Some(near) => {
                    if !known.iter().any(|(field, _)| *field == near) {
                        known.push((near, entry));
                    }
                    Some(format!("did you mean `{near}`?"))
                }
                None => suggest::help(&entry.key, "the keys here are", fields.iter().copied()),
            };
            self.context.report(diagnostic);
        }
        known
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Nothing,
    Text,
    Number,
    Truth,
}

/// The type of a scalar by the core schema of YAML 1.2 (section 10.3).
fn kind(scalar: &Scalar) -> Kind {
    if !scalar.plain {
        return Kind::Text;
    }
    let text = scalar.text.as_str();
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let begins_with_digit = unsigned.strip_prefix('.').unwrap_or(unsigned).starts_with(|c: char| c.is_ascii_digit());
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Kind::Nothing,
        "true" | "True" | "TRUE" | "false" | "False" | "FALSE" => Kind::Truth,
        _ if begins_with_digit && unsigned.parse::<f64>().is_ok() => Kind::Number,
        _ if unsigned.strip_prefix("0x").is_some_and(|hex| u128::from_str_radix(hex, 16).is_ok()) => Kind::Number,
        _ => Kind::Text,
    }
}

impl<'de> Deserializer<'de> for NodeDeserializer<'de, '_> {
    type Error = DecodeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_borrowed_str(self.text()?)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match &self.node.value {
            Value::Scalar(scalar) if kind(scalar) == Kind::Truth => {
                visitor.visit_bool(scalar.text.eq_ignore_ascii_case("true"))
            }
            Value::Scalar(_) | Value::Sequence(_) | Value::Mapping(_) => Err(self.wrong_type("`true` or `false`")),
        }
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        let number = match &self.node.value {
            Value::Scalar(scalar) if kind(scalar) == Kind::Number => scalar.text.parse::<u32>().ok(),
            Value::Scalar(_) | Value::Sequence(_) | Value::Mapping(_) => None,
        };
        match number {
            Some(number) => visitor.visit_u32(number),
            None => Err(self.wrong_type(&format!("a whole number from 0 to {}", u32::MAX))),
        }
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.deserialize_u64(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_some(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match &self.node.value {
            Value::Sequence(items) => visitor.visit_seq(Items { items: items.iter(), context: self.context }),
            Value::Scalar(_) | Value::Mapping(_) => Err(self.wrong_type("a list")),
        }
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        match name {
            CHECKED => visitor.visit_seq(Place { node: self.node, context: self.context, served: 0 }),
            _ => self.deserialize_seq(visitor),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        match &self.node.value {
            Value::Scalar(scalar) if name == ANY_SCALAR && !scalar.broken && kind(scalar) != Kind::Nothing => {
                visitor.visit_borrowed_str(&scalar.text)
            }
            Value::Scalar(_) | Value::Sequence(_) | Value::Mapping(_) if name == ANY_SCALAR => {
                Err(self.wrong_type("one value"))
            }
            Value::Scalar(_) | Value::Sequence(_) | Value::Mapping(_) => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        let entries = self.entries("a mapping")?;
        let keys = entries.iter().map(|entry| (entry.key.as_str(), entry)).collect();
        visitor.visit_map(Fields { entries: keys, next: 0, context: self.context })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        let listed = fields.iter().map(|field| format!("`{field}`")).collect::<Vec<_>>().join(", ");
        let entries = self.entries(&format!("a mapping with the keys {listed}"))?;
        let known = self.known_entries(entries, fields);
        visitor.visit_map(Fields { entries: known, next: 0, context: self.context })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        let text = self.text()?;
        if !variants.contains(&text) {
            let help = suggest::help(text, "it takes", variants.iter().copied());
            let message = format!("`{}` is not allowed for `{}`", quotable(text), self.node.path);
            return Err(DecodeError::new(Code::InvalidValue, message, help));
        }
        let name: StrDeserializer<'_, DecodeError> = text.into_deserializer();
        visitor.visit_enum(name)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u128 f32 f64 char str string bytes byte_buf unit unit_struct tuple identifier
    }
}

struct Items<'de, 'c> {
    items: std::slice::Iter<'de, Node>,
    context: &'c Context<'c>,
}

impl<'de> SeqAccess<'de> for Items<'de, '_> {
    type Error = DecodeError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, DecodeError> {
        let context = self.context;
        self.items.next().map(|node| seed.deserialize(NodeDeserializer { node, context })).transpose()
    }
}

struct Fields<'de, 'c> {
    entries: Vec<(&'de str, &'de Entry)>,
    next: usize,
    context: &'c Context<'c>,
}

impl<'de> de::MapAccess<'de> for Fields<'de, '_> {
    type Error = DecodeError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, DecodeError> {
        self.entries.get(self.next).map(|(name, entry)| seed.deserialize(KeyDeserializer { name, entry })).transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, DecodeError> {
        let (_, entry) = self.entries.get(self.next).ok_or(DecodeError::Reported)?;
        self.next += 1;
        seed.deserialize(NodeDeserializer { node: &entry.node, context: self.context })
    }
}

/// A key is always text; a [`Checked`] one has its place.
struct KeyDeserializer<'de> {
    name: &'de str,
    entry: &'de Entry,
}

impl<'de> Deserializer<'de> for KeyDeserializer<'de> {
    type Error = DecodeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_borrowed_str(self.name)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        visitor.visit_seq(KeyPlace { name: self.name, entry: self.entry, served: 0 })
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple map struct enum identifier ignored_any
    }
}

struct KeyPlace<'de> {
    name: &'de str,
    entry: &'de Entry,
    served: u8,
}

impl<'de> SeqAccess<'de> for KeyPlace<'de> {
    type Error = DecodeError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, DecodeError> {
        self.served += 1;
        match self.served {
            1 => seed.deserialize(self.entry.key_range.start.into_deserializer()).map(Some),
            2 => seed.deserialize(self.entry.key_range.end.into_deserializer()).map(Some),
            _ => seed.deserialize(KeyDeserializer { name: self.name, entry: self.entry }).map(Some),
        }
    }
}

/// Serves a place and then the value; a value that fails is reported and not served.
struct Place<'de, 'c> {
    node: &'de Node,
    context: &'c Context<'c>,
    served: u8,
}

impl<'de> SeqAccess<'de> for Place<'de, '_> {
    type Error = DecodeError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, DecodeError> {
        self.served += 1;
        match self.served {
            1 => seed.deserialize(self.node.range.start.into_deserializer()).map(Some),
            2 => seed.deserialize(self.node.range.end.into_deserializer()).map(Some),
            _ => match seed.deserialize(NodeDeserializer { node: self.node, context: self.context }) {
                Ok(value) => Ok(Some(value)),
                Err(error) => {
                    error.report(self.node, self.context);
                    Ok(None)
                }
            },
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Checked<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct CheckedVisitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for CheckedVisitor<T> {
            type Value = Checked<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value with its place")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Checked<T>, A::Error> {
                let mut offset = || parts.next_element::<usize>().map(Option::unwrap_or_default);
                let range = offset()?..offset()?;
                Ok(Checked { range, value: parts.next_element()? })
            }
        }

        deserializer.deserialize_tuple_struct(CHECKED, 3, CheckedVisitor(PhantomData))
    }
}

impl<'de> Deserialize<'de> for AnyScalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;

        impl Visitor<'_> for TextVisitor {
            type Value = AnyScalar;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("one value")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<AnyScalar, E> {
                Ok(AnyScalar(text.to_owned()))
            }
        }

        deserializer.deserialize_newtype_struct(ANY_SCALAR, TextVisitor)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Entries<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EntriesVisitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for EntriesVisitor<T> {
            type Value = Entries<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mapping")
            }

            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Entries<T>, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }

        deserializer.deserialize_map(EntriesVisitor(PhantomData))
    }
}

impl<T: JsonSchema> JsonSchema for Checked<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

impl JsonSchema for AnyScalar {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Scalar".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({ "type": ["string", "number", "boolean"] })
    }
}

impl<T: JsonSchema> JsonSchema for Entries<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("EntriesOf{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let value = generator.subschema_for::<T>();
        schemars::json_schema!({ "type": "object", "additionalProperties": value })
    }
}
