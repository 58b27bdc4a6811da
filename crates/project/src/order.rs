//! Pipelines come after those whose outputs they read, or every circle among them is shown.
//!
//! ```text
//! a writes x ─► b reads x, writes y ─► c reads y        order: a, b, c
//! a reads y, writes x ─► b reads x, writes y            refused: a → b → a
//! ```

use std::collections::{BTreeMap, BTreeSet};

use lockgate_model::{DatasetName, PipelineName};

use crate::{Code, Diagnostic, Diagnostics, Project};

type Needs<'a> = BTreeMap<&'a PipelineName, BTreeSet<&'a PipelineName>>;

impl Project {
    /// The pipelines of the project, each after those whose outputs it reads; among equals by name.
    ///
    /// `reads` says which datasets each pipeline's query reads. Datasets that no pipeline writes do not matter. Fails
    /// with LG033, once for each circle; a pipeline that reads its own output is one.
    pub fn dependency_order(
        &self,
        reads: &BTreeMap<PipelineName, Vec<DatasetName>>,
    ) -> Result<Vec<PipelineName>, Diagnostics> {
        let mut needs: Needs<'_> = BTreeMap::new();
        for name in self.pipelines.keys() {
            let read = reads.get(name).map(Vec::as_slice).unwrap_or_default();
            let producers = read.iter().filter_map(|dataset| Some(&self.producer(dataset)?.name.value));
            needs.insert(name, producers.collect());
        }
        let mut order = take_ready(&mut needs);
        let mut found = Diagnostics::new();
        while let Some(cycle) = any_cycle(&needs) {
            found.extend(self.cycle(&cycle));
            for name in &cycle {
                needs.remove(name);
            }
            needs.values_mut().for_each(|left| left.retain(|name| !cycle.contains(name)));
            order.extend(take_ready(&mut needs));
        }
        if found.is_empty() { Ok(order.into_iter().cloned().collect()) } else { Err(found) }
    }

    fn cycle(&self, cycle: &[&PipelineName]) -> Option<Diagnostic> {
        let names: Vec<&str> = cycle.iter().chain(cycle.first()).map(|name| name.as_str()).collect();
        let message = format!("pipelines read one another's outputs in a circle: {}", names.join(" → "));
        let mut labels = cycle.iter().zip(cycle.iter().skip(1).chain(cycle.first())).filter_map(|(reader, writer)| {
            let (reader, writer) = (self.pipelines.get(*reader)?, self.pipelines.get(*writer)?);
            let output = &writer.into.dataset.value;
            Some((reader.sql.span, format!("reads `{output}`, which `{}` writes", writer.name.value)))
        });
        let (span, text) = labels.next()?;
        let diagnostic = Diagnostic::new(Code::Cycle, span, message)
            .labelled(text)
            .with_help("let one of them read something else, or join them into one pipeline");
        Some(labels.fold(diagnostic, |diagnostic, (span, text)| diagnostic.with_label(span, text)))
    }
}

/// Takes out what waits for nothing that is left, in order, until all that is left waits.
fn take_ready<'a>(needs: &mut Needs<'a>) -> Vec<&'a PipelineName> {
    let mut order = Vec::new();
    while let Some(ready) = needs.iter().find(|(_, left)| left.is_empty()).map(|(name, _)| *name) {
        needs.remove(ready);
        needs.values_mut().for_each(|left| {
            left.remove(ready);
        });
        order.push(ready);
    }
    order
}

/// A circle among pipelines that all wait for one another, from its first name on; none if none is left.
fn any_cycle<'a>(needs: &Needs<'a>) -> Option<Vec<&'a PipelineName>> {
    let mut path: Vec<&PipelineName> = Vec::new();
    let mut at = *needs.keys().next()?;
    loop {
        if let Some(begin) = path.iter().position(|name| *name == at) {
            let mut cycle = path.split_off(begin);
            let first = cycle.iter().enumerate().min_by_key(|(_, name)| **name).map_or(0, |(index, _)| index);
            cycle.rotate_left(first);
            return Some(cycle);
        }
        path.push(at);
        at = needs.get(at)?.iter().next()?;
    }
}
