//! Items of a policy: who, which access, which mask, which rows.

use std::ops::Range;

use lockgate_model::Protection;
use lockgate_policy::model::{Access, DataMaskInfo, DataMaskItem, PolicyItem, RowFilterInfo, RowFilterItem};

use super::{Checker, Compiler, conditions, texts};
use crate::policies::POLICY_ITEMS_MAX;
use crate::raw::{ItemEntry, MaskEntry, RowsEntry, Texts};
use crate::yaml::Checked;
use crate::{Code, PolicyMask, suggest};

/// The kind of access that masks and filters are about.
const SELECT: &str = "select";

/// A mask with the columns that it is for, where it names some.
pub(super) struct Mask {
    pub(super) columns: Option<(Vec<String>, Range<usize>)>,
    /// Where it is written.
    pub(super) range: Range<usize>,
    pub(super) item: DataMaskItem,
}

/// Whom an item is for.
struct Whom<'a> {
    users: Option<&'a Texts>,
    groups: Option<&'a Texts>,
    roles: Option<&'a Texts>,
}

impl Compiler<'_> {
    /// The items of a list. What is wrong is reported.
    pub(super) fn items(
        &mut self,
        list: Option<&Checked<Vec<Checked<ItemEntry>>>>,
        checker: &mut Checker<'_>,
    ) -> Vec<PolicyItem> {
        checked_entries(list, checker).filter_map(|entry| self.item(entry, checker)).collect()
    }

    /// The masks of a policy.
    pub(super) fn masks(
        &mut self,
        list: Option<&Checked<Vec<Checked<MaskEntry>>>>,
        checker: &mut Checker<'_>,
    ) -> Vec<Mask> {
        checked_entries(list, checker).filter_map(|entry| self.mask(entry, checker)).collect()
    }

    /// The row filters of a policy.
    pub(super) fn row_filters(
        &mut self,
        list: Option<&Checked<Vec<Checked<RowsEntry>>>>,
        checker: &mut Checker<'_>,
    ) -> Vec<RowFilterItem> {
        checked_entries(list, checker).filter_map(|entry| self.row_filter(entry, checker)).collect()
    }

    fn item(&mut self, entry: &Checked<ItemEntry>, checker: &mut Checker<'_>) -> Option<PolicyItem> {
        let raw = entry.value.as_ref()?;
        let whom = Whom { users: raw.users.as_ref(), groups: raw.groups.as_ref(), roles: raw.roles.as_ref() };
        let mut item = principals(&whom, &entry.range, checker)?;
        item.accesses = self.accesses(&raw.access, checker);
        item.conditions = conditions::compile(raw.conditions.as_ref(), &mut self.sources.policies, checker);
        item.delegate_admin = raw.delegate_admin.as_ref().and_then(|admin| admin.value).unwrap_or(false);
        Some(item)
    }

    fn accesses(&self, list: &Texts, checker: &mut Checker<'_>) -> Vec<Access> {
        let known = &self.sources.policies.service_def.access_types;
        for access in list.value.iter().flatten() {
            let Some(text) = access.value.as_ref().filter(|text| !text.trim().is_empty()) else { continue };
            if !known.iter().any(|def| def.name == *text) {
                let message = format!("there is no access `{}`", checker.quote(&access.range));
                let help = suggest::help(text, "the kinds of access are", known.iter().map(|def| def.name.as_str()));
                checker.report(Code::InvalidValue, &access.range, message, help);
            }
        }
        texts(list, "access", checker).into_iter().map(|kind| Access { kind, is_allowed: true }).collect()
    }

    fn mask(&mut self, entry: &Checked<MaskEntry>, checker: &mut Checker<'_>) -> Option<Mask> {
        let raw = entry.value.as_ref()?;
        let whom = Whom { users: raw.users.as_ref(), groups: raw.groups.as_ref(), roles: raw.roles.as_ref() };
        let item = principals(&whom, &entry.range, checker);
        let info = mask_info(raw, &entry.range, checker);
        let columns = raw.columns.as_ref().map(|columns| (texts(columns, "column", checker), columns.range.clone()));
        let conditions = conditions::compile(raw.conditions.as_ref(), &mut self.sources.policies, checker);
        let item = PolicyItem { accesses: vec![select()], conditions, ..item? };
        Some(Mask { columns, range: entry.range.clone(), item: DataMaskItem { item, data_mask_info: Some(info?) } })
    }

    fn row_filter(&mut self, entry: &Checked<RowsEntry>, checker: &mut Checker<'_>) -> Option<RowFilterItem> {
        let raw = entry.value.as_ref()?;
        let whom = Whom { users: raw.users.as_ref(), groups: raw.groups.as_ref(), roles: raw.roles.as_ref() };
        let item = principals(&whom, &entry.range, checker);
        if raw.filter.value.as_ref().is_some_and(|filter| filter.trim().is_empty()) {
            let help = "write the condition that a row must meet, in SQL".to_owned();
            checker.report(Code::InvalidValue, &raw.filter.range, "`where` is empty", Some(help));
        }
        let conditions = conditions::compile(raw.conditions.as_ref(), &mut self.sources.policies, checker);
        let item = PolicyItem { accesses: vec![select()], conditions, ..item? };
        Some(RowFilterItem { item, row_filter_info: Some(RowFilterInfo { filter_expr: raw.filter.value.clone() }) })
    }
}

fn select() -> Access {
    Access { kind: SELECT.to_owned(), is_allowed: true }
}

/// The entries of a list that is neither empty nor too long.
fn checked_entries<'e, T>(
    list: Option<&'e Checked<Vec<Checked<T>>>>,
    checker: &mut Checker<'_>,
) -> impl Iterator<Item = &'e Checked<T>> + use<'e, T> {
    let entries = list.and_then(|list| list.value.as_deref()).unwrap_or_default();
    if let Some(list) = list.filter(|list| list.value.is_some()) {
        if entries.is_empty() {
            let help = "write an item, or remove the key".to_owned();
            checker.report(Code::InvalidValue, &list.range, "the list is empty", Some(help));
        }
        if entries.len() > POLICY_ITEMS_MAX {
            let message = format!("{} items are more than the {POLICY_ITEMS_MAX} of one list", entries.len());
            let help = "give a role or a group the right, rather than each of its users".to_owned();
            checker.report(Code::ProjectLimit, &list.range, message, Some(help));
        }
    }
    entries.iter().take(POLICY_ITEMS_MAX)
}

/// Whom an item is for, as an item without accesses.
fn principals(whom: &Whom<'_>, range: &Range<usize>, checker: &mut Checker<'_>) -> Option<PolicyItem> {
    if whom.users.is_none() && whom.groups.is_none() && whom.roles.is_none() {
        let help = "add `users`, `groups` or `roles`; `groups: [public]` is anybody".to_owned();
        checker.report(Code::MissingKey, range, "it is not said whom this is for", Some(help));
        return None;
    }
    let mut names = |list: Option<&Texts>, kind| list.map(|list| texts(list, kind, checker)).unwrap_or_default();
    Some(PolicyItem {
        users: names(whom.users, "user"),
        groups: names(whom.groups, "group"),
        roles: names(whom.roles, "role"),
        ..PolicyItem::default()
    })
}

fn mask_info(raw: &MaskEntry, range: &Range<usize>, checker: &mut Checker<'_>) -> Option<DataMaskInfo> {
    let named = |kind: &str, value: Option<String>| DataMaskInfo {
        data_mask_type: Some(kind.to_owned()),
        condition_expr: None,
        value_expr: value,
    };
    match (&raw.with, &raw.sql) {
        (Some(with), None) => mask_name(with, checker).map(|kind| named(kind, None)),
        (None, Some(sql)) => {
            if sql.value.as_ref()?.trim().is_empty() {
                let help = "write an expression in which `{col}` stands for the column".to_owned();
                checker.report(Code::InvalidValue, &sql.range, "`sql` is empty", Some(help));
            }
            Some(named("CUSTOM", sql.value.clone()))
        }
        (Some(_), Some(sql)) => {
            let help = "keep one of the two keys".to_owned();
            checker.report(Code::InvalidValue, &sql.range, "a mask has `with` or `sql`, not both", Some(help));
            None
        }
        (None, None) => {
            let help = "add `with: hash`, or another mask, or `sql:` with an expression".to_owned();
            checker.report(Code::MissingKey, range, "it is not said how the values are masked", Some(help));
            None
        }
    }
}

fn mask_name(with: &Checked<String>, checker: &mut Checker<'_>) -> Option<&'static str> {
    let text = with.value.as_ref()?;
    let mask = match format!("mask({text})").parse() {
        _ if text == "clear" => Some(PolicyMask::Clear),
        Ok(Protection::Mask(mask)) => Some(PolicyMask::BuiltIn(mask)),
        Ok(_) | Err(_) => None,
    };
    let name = mask.and_then(PolicyMask::ranger_name);
    if name.is_none() {
        let message = format!("`{}` is no mask of a policy", checker.quote(&with.range));
        let help = "it takes `redact`, `\"show_first: 4\"`, `\"show_last: 4\"`, `hash`, `\"null\"`, `date_to_year` or \
                    `clear`; anything else is `sql:` with an expression";
        checker.report(Code::InvalidValue, &with.range, message, Some(help.to_owned()));
    }
    name
}
