//! Runs a script: each step is counted, and every text and list that is made is measured.

use std::cell::Cell;
use std::sync::Arc;

use super::Environment;
use super::context::answer;
use super::globals::global;
use super::limits::{
    FaultKind, SCRIPT_DEPTH_MAX, SCRIPT_LIST_ITEMS_MAX, SCRIPT_STEPS_MAX, SCRIPT_TEXT_BYTES_MAX, ScriptFault,
};
use super::method::call;
use super::parse::Program;
use super::syntax::{Argument, Expression, ExpressionKind, Function, Global, Operation, Operator, Statement};
use super::value::{Origin, Value, count, radix_number, text_number};

/// How many bytes of text are one step.
const BYTES_PER_STEP: usize = 64;

/// One run of a script.
pub(super) struct Run<'a> {
    env: &'a dyn Environment,
    variables: Vec<Option<Value>>,
    globals: [Option<Value>; Global::COUNT],
    steps: Cell<u64>,
    result: bool,
}

/// How a row of statements ended.
enum End {
    /// With the value of the last expression in it, if there was one.
    Normal(Option<Value>),
    Returned(Value),
}

impl<'a> Run<'a> {
    /// The value of the program, and `ctx.result` at its end.
    pub(super) fn program(program: &Program, env: &'a dyn Environment) -> Result<(Value, bool), ScriptFault> {
        let variables = vec![None; program.slots];
        let mut run = Self { env, variables, globals: Default::default(), steps: Cell::new(0), result: false };
        match run.statements(&program.statements) {
            Ok(End::Normal(value)) => Ok((value.unwrap_or(Value::Undefined), run.result)),
            Ok(End::Returned(value)) => Ok((value, run.result)),
            Err(fault) => Err(ScriptFault { result: run.result, ..fault }),
        }
    }

    pub(super) fn environment(&self) -> &'a dyn Environment {
        self.env
    }

    pub(super) fn result(&self) -> bool {
        self.result
    }

    /// `ctx.result = value`
    pub(super) fn set_result(&mut self, value: &Value) -> Result<(), ScriptFault> {
        match value {
            Value::Bool(result) => {
                self.result = *result;
                Ok(())
            }
            other => Err(ScriptFault::thrown(format!("`ctx.result` takes a boolean and not {}", other.kind()))),
        }
    }

    pub(super) fn spend(&self, steps: usize) -> Result<(), ScriptFault> {
        self.steps.set(self.steps.get().saturating_add(u64::try_from(steps).unwrap_or(u64::MAX)));
        if self.steps.get() > SCRIPT_STEPS_MAX { Err(ScriptFault::of(FaultKind::Steps)) } else { Ok(()) }
    }

    /// Counts text that is made or looked through.
    pub(super) fn spend_bytes(&self, bytes: usize) -> Result<(), ScriptFault> {
        self.spend(bytes / BYTES_PER_STEP)
    }

    pub(super) fn check_text(&self, bytes: usize) -> Result<(), ScriptFault> {
        if bytes > SCRIPT_TEXT_BYTES_MAX { Err(ScriptFault::of(FaultKind::TextBytes)) } else { Ok(()) }
    }

    /// A text that the script made.
    pub(super) fn new_text(&self, text: String) -> Result<Value, ScriptFault> {
        self.check_text(text.len())?;
        self.spend_bytes(text.len())?;
        Ok(Value::Text(text.into()))
    }

    /// A list that the script made.
    pub(super) fn new_list(&self, items: Vec<Value>) -> Result<Value, ScriptFault> {
        if items.len() > SCRIPT_LIST_ITEMS_MAX {
            return Err(ScriptFault::of(FaultKind::ListItems));
        }
        self.spend(items.len())?;
        self.not_too_deep(Value::list(Origin::Script, items))
    }

    /// What holds itself can't be made, but what holds a thing that holds a thing can.
    fn not_too_deep(&self, value: Value) -> Result<Value, ScriptFault> {
        if value.depth() > SCRIPT_DEPTH_MAX { Err(ScriptFault::of(FaultKind::Depth)) } else { Ok(value) }
    }

    pub(super) fn text_of(&self, value: &Value) -> Result<Arc<str>, ScriptFault> {
        self.spend_on(value)?;
        value.to_text(SCRIPT_TEXT_BYTES_MAX).ok_or_else(|| ScriptFault::of(FaultKind::TextBytes))
    }

    /// What turning a value into a text or number costs. A list that holds others can have a text much longer than
    /// itself.
    fn spend_on(&self, value: &Value) -> Result<(), ScriptFault> {
        match value {
            Value::List(list) => {
                let length = value.to_text(SCRIPT_TEXT_BYTES_MAX).map_or(SCRIPT_TEXT_BYTES_MAX, |text| text.len());
                // Each of its items is walked to.
                self.spend(list.items.len() + length / 8)
            }
            Value::Text(text) => self.spend_bytes(text.len()),
            _ => Ok(()),
        }
    }

    fn statements(&mut self, statements: &[Statement]) -> Result<End, ScriptFault> {
        let mut last = None;
        for statement in statements {
            match self.statement(statement)? {
                End::Normal(None) => {}
                End::Normal(value) => last = value,
                returned @ End::Returned(_) => return Ok(returned),
            }
        }
        Ok(End::Normal(last))
    }

    fn statement(&mut self, statement: &Statement) -> Result<End, ScriptFault> {
        self.spend(1)?;
        match statement {
            Statement::Declare { slot, value } => {
                let value = value.as_ref().map_or(Ok(Value::Undefined), |value| self.value(value))?;
                self.assign(*slot, value);
                Ok(End::Normal(None))
            }
            Statement::Expression(expression) => Ok(End::Normal(Some(self.value(expression)?))),
            Statement::Block(statements) => self.statements(statements),
            Statement::Return(value) => {
                let value = value.as_ref().map_or(Ok(Value::Undefined), |value| self.value(value))?;
                Ok(End::Returned(value))
            }
            Statement::If { arms, otherwise } => {
                for (condition, statements) in arms {
                    if self.value(condition)?.is_truthy() {
                        return self.branch(statements);
                    }
                }
                self.branch(otherwise)
            }
        }
    }

    /// An `if` has a value of its own, `undefined` if nothing in it has one.
    fn branch(&mut self, statements: &[Statement]) -> Result<End, ScriptFault> {
        Ok(match self.statements(statements)? {
            End::Normal(value) => End::Normal(Some(value.unwrap_or(Value::Undefined))),
            returned => returned,
        })
    }

    fn assign(&mut self, slot: usize, value: Value) {
        if let Some(variable) = self.variables.get_mut(slot) {
            *variable = Some(value);
        }
    }

    fn values(&mut self, expressions: &[Expression]) -> Result<Vec<Value>, ScriptFault> {
        expressions.iter().map(|expression| self.value(expression)).collect()
    }

    pub(super) fn value(&mut self, expression: &Expression) -> Result<Value, ScriptFault> {
        use ExpressionKind as E;
        self.spend(1)?;
        Ok(match &expression.kind {
            E::Undefined => Value::Undefined,
            E::Null => Value::Null,
            E::Bool(bool) => Value::Bool(*bool),
            E::Number(number) => Value::Number(*number),
            E::Text(text) => Value::Text(text.clone()),
            E::List(items) => {
                let items = self.values(items)?;
                self.new_list(items)?
            }
            E::Map(entries) => {
                let entries = entries.iter().map(|(name, value)| Ok((name.clone(), self.value(value)?)));
                let entries = entries.collect::<Result<_, ScriptFault>>()?;
                self.not_too_deep(Value::map(Origin::Script, entries))?
            }
            E::Variable { slot, name } => self.variable(*slot, name)?,
            E::Global(name) => self.global(*name)?,
            E::ContextCall(method, arguments) => {
                let arguments = self.values(arguments)?;
                answer(self, *method, &arguments)?
            }
            E::Function(function, arguments) => {
                let argument = self.values(arguments)?.into_iter().next().unwrap_or(Value::Undefined);
                self.function(*function, &argument)?
            }
            E::Assign { slot, name, operator, value } => self.assignment(*slot, name, *operator, value)?,
            E::AssignResult(value) => {
                let value = self.value(value)?;
                self.set_result(&value)?;
                value
            }
            E::Member(target, name) => {
                let target = self.value(target)?;
                member(&target, name)?
            }
            E::Index(target, index) => {
                let (target, index) = (self.value(target)?, self.value(index)?);
                self.index(&target, &index)?
            }
            E::Call { target, method, arguments } => {
                let target = self.value(target)?;
                call(self, &target, *method, arguments)?
            }
            E::PatternTest(regex, value) => {
                let value = self.value(value)?;
                let text = self.text_of(&value)?;
                self.spend_pattern(regex, &text)?;
                Value::Bool(regex.is_match(&text))
            }
            E::Choice(condition, left, right) => {
                let chosen = if self.value(condition)?.is_truthy() { left } else { right };
                self.value(chosen)?
            }
            E::Operation(operation) => self.operation(operation)?,
        })
    }

    fn operation(&mut self, operation: &Operation) -> Result<Value, ScriptFault> {
        Ok(match operation {
            Operation::Not(value) => Value::Bool(!self.value(value)?.is_truthy()),
            Operation::Negate(value) => Value::Number(-self.number(value)?),
            Operation::ToNumber(value) => Value::Number(self.number(value)?),
            Operation::TypeOf(value) => Value::text(self.value(value)?.type_name()),
            Operation::And(operands) => self.first(operands, false)?,
            Operation::Or(operands) => self.first(operands, true)?,
            Operation::Binary(operator, left, right) => {
                let (left, right) = (self.value(left)?, self.value(right)?);
                self.binary(*operator, &left, &right)?
            }
        })
    }

    /// The first operand that is as true as `truth`, or the last one.
    fn first(&mut self, operands: &[Expression], truth: bool) -> Result<Value, ScriptFault> {
        let mut last = Value::Undefined;
        for operand in operands {
            last = self.value(operand)?;
            if last.is_truthy() == truth {
                break;
            }
        }
        Ok(last)
    }

    fn variable(&self, slot: usize, name: &str) -> Result<Value, ScriptFault> {
        let value = self.variables.get(slot).cloned().flatten();
        value.ok_or_else(|| ScriptFault::thrown(format!("`{name}` has no value yet")))
    }

    fn global(&mut self, name: Global) -> Result<Value, ScriptFault> {
        let known = self.globals.get(name as usize).and_then(Option::as_ref);
        if let Some(value) = known {
            return Ok(value.clone());
        }
        let value = global(name, self.env);
        if let Some(place) = self.globals.get_mut(name as usize) {
            *place = Some(value.clone());
        }
        Ok(value)
    }

    fn assignment(
        &mut self,
        slot: usize,
        name: &str,
        operator: Option<Operator>,
        value: &Expression,
    ) -> Result<Value, ScriptFault> {
        let value = match operator {
            None => self.value(value)?,
            Some(operator) => {
                let before = self.variable(slot, name)?;
                let value = self.value(value)?;
                self.binary(operator, &before, &value)?
            }
        };
        self.assign(slot, value.clone());
        Ok(value)
    }

    fn number(&mut self, expression: &Expression) -> Result<f64, ScriptFault> {
        let value = self.value(expression)?;
        self.spend_on(&value)?;
        Ok(value.to_number(SCRIPT_TEXT_BYTES_MAX))
    }

    fn binary(&mut self, operator: Operator, left: &Value, right: &Value) -> Result<Value, ScriptFault> {
        self.spend_on(left)?;
        self.spend_on(right)?;
        let most = SCRIPT_TEXT_BYTES_MAX;
        let numbers = || (left.to_number(most), right.to_number(most));
        Ok(match operator {
            Operator::Add => return self.add(left, right),
            Operator::Subtract => Value::Number(numbers().0 - numbers().1),
            Operator::Multiply => Value::Number(numbers().0 * numbers().1),
            Operator::Divide => Value::Number(numbers().0 / numbers().1),
            Operator::Remainder => Value::Number(numbers().0 % numbers().1),
            Operator::Equal => Value::Bool(left.loosely_equals(right, most)),
            Operator::NotEqual => Value::Bool(!left.loosely_equals(right, most)),
            Operator::StrictlyEqual => Value::Bool(left.strictly_equals(right)),
            Operator::StrictlyNotEqual => Value::Bool(!left.strictly_equals(right)),
            Operator::Less => Value::Bool(left.compare(right, most).is_some_and(|order| order.is_lt())),
            Operator::LessOrEqual => Value::Bool(left.compare(right, most).is_some_and(|order| order.is_le())),
            Operator::Greater => Value::Bool(left.compare(right, most).is_some_and(|order| order.is_gt())),
            Operator::GreaterOrEqual => Value::Bool(left.compare(right, most).is_some_and(|order| order.is_ge())),
            Operator::In => {
                let name = self.text_of(left)?;
                match right {
                    Value::Map(map) => Value::Bool(map.value(&name).is_some()),
                    Value::List(list) => {
                        let index = text_index(&name);
                        Value::Bool(index.is_some_and(|index| index < list.items.len()) || &*name == "length")
                    }
                    other => return Err(ScriptFault::thrown(format!("`in` needs a map and not {}", other.kind()))),
                }
            }
        })
    }

    /// Numbers are added, anything else is joined as text.
    fn add(&mut self, left: &Value, right: &Value) -> Result<Value, ScriptFault> {
        let is_text = |value: &Value| matches!(value, Value::Text(_) | Value::List(_) | Value::Map(_));
        if !is_text(left) && !is_text(right) {
            let most = SCRIPT_TEXT_BYTES_MAX;
            return Ok(Value::Number(left.to_number(most) + right.to_number(most)));
        }
        let mut out = String::new();
        if left.write(&mut out, SCRIPT_TEXT_BYTES_MAX) && right.write(&mut out, SCRIPT_TEXT_BYTES_MAX) {
            return self.new_text(out);
        }
        Err(ScriptFault::of(FaultKind::TextBytes))
    }

    /// What a text costs to be searched by a pattern: a pattern looks at each byte in as many states as it has.
    pub(super) fn spend_pattern(&mut self, regex: &regex::Regex, text: &str) -> Result<(), ScriptFault> {
        let states = regex.as_str().len() / BYTES_PER_STEP + 1;
        self.spend(text.len().saturating_mul(states) / 8 + 1)
    }

    fn index(&mut self, target: &Value, index: &Value) -> Result<Value, ScriptFault> {
        let name = self.text_of(index)?;
        let Some(position) = text_index(&name) else {
            return member(target, &name);
        };
        self.spend_on(target)?;
        Ok(match target {
            Value::List(list) => list.items.get(position).cloned().unwrap_or(Value::Undefined),
            Value::Text(text) => {
                let unit = text.encode_utf16().nth(position);
                unit.map_or(Value::Undefined, |unit| Value::text(&String::from_utf16_lossy(&[unit])))
            }
            other => return member(other, &name),
        })
    }

    /// Calls a function that was given to a method.
    pub(super) fn call_function(
        &mut self,
        parameters: &[usize],
        body: &[Statement],
        arguments: [Value; 2],
    ) -> Result<Value, ScriptFault> {
        let mut arguments = arguments.into_iter();
        for slot in parameters {
            self.assign(*slot, arguments.next().unwrap_or(Value::Undefined));
        }
        Ok(match self.statements(body)? {
            End::Returned(value) => value,
            End::Normal(_) => Value::Undefined,
        })
    }

    /// The values that a method is called with; a function or pattern is none.
    pub(super) fn arguments(&mut self, arguments: &[Argument]) -> Result<Vec<Value>, ScriptFault> {
        let value = |argument: &Argument| match argument {
            Argument::Value(expression) => self.value(expression),
            Argument::Function { .. } | Argument::Pattern { .. } => Ok(Value::Undefined),
        };
        arguments.iter().map(value).collect()
    }

    fn function(&mut self, function: Function, argument: &Value) -> Result<Value, ScriptFault> {
        self.spend_on(argument)?;
        Ok(match function {
            Function::ToText => Value::Text(self.text_of(argument)?),
            Function::ToNumber => Value::Number(argument.to_number(SCRIPT_TEXT_BYTES_MAX)),
            Function::ToBoolean => Value::Bool(argument.is_truthy()),
            Function::ParseInt => Value::Number(parse_int(&self.text_of(argument)?)),
            Function::ParseFloat => Value::Number(parse_float(&self.text_of(argument)?)),
            Function::IsNaN => Value::Bool(argument.to_number(SCRIPT_TEXT_BYTES_MAX).is_nan()),
            Function::IsArray => Value::Bool(matches!(argument, Value::List(list) if list.origin == Origin::Script)),
            Function::Keys | Function::Values => {
                let items = match argument {
                    Value::Map(map) if function == Function::Keys => {
                        map.entries.iter().map(|(name, _)| Value::Text(name.clone())).collect()
                    }
                    Value::Map(map) => map.entries.iter().map(|(_, value)| value.clone()).collect(),
                    Value::List(list) if function == Function::Keys => {
                        (0..list.items.len()).map(|index| Value::text(&index.to_string())).collect()
                    }
                    Value::List(list) => list.items.clone(),
                    Value::Text(text) => units_of(text, function == Function::Keys),
                    Value::Undefined | Value::Null => return Err(argument.nothing_to_read("keys")),
                    _ => Vec::new(),
                };
                self.new_list(items)?
            }
            Function::Json => match super::json::json(argument, SCRIPT_TEXT_BYTES_MAX)? {
                Some(text) => self.new_text(text)?,
                None => Value::Undefined,
            },
        })
    }
}

/// The positions of a text, or what stands there; one more than a list may have is enough to be refused.
fn units_of(text: &str, positions: bool) -> Vec<Value> {
    let units = text.encode_utf16().take(SCRIPT_LIST_ITEMS_MAX + 1).enumerate();
    let value = |(at, unit): (usize, u16)| {
        Value::text(&if positions { at.to_string() } else { String::from_utf16_lossy(&[unit]) })
    };
    units.map(value).collect()
}

/// `value.name`
fn member(target: &Value, name: &str) -> Result<Value, ScriptFault> {
    Ok(match target {
        Value::Undefined | Value::Null => return Err(target.nothing_to_read(name)),
        Value::Map(map) => map.value(name).cloned().unwrap_or(Value::Undefined),
        Value::List(list) if name == "length" => count(list.items.len()),
        Value::Text(text) if name == "length" => count(text.encode_utf16().count()),
        _ => Value::Undefined,
    })
}

/// The position that a text means: `0` and `12` do, `01` and `-1` don't.
fn text_index(text: &str) -> Option<usize> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    digits.then(|| text.parse().ok()).flatten()
}

/// `parseInt(text)`
fn parse_int(text: &str) -> f64 {
    let text = text.trim_start_matches(super::value::is_space);
    let (sign, text) = match text.strip_prefix('-') {
        Some(text) => (-1.0, text),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    let (radix, text) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(text) => (16, text),
        None => (10, text),
    };
    let length = text.find(|char: char| !char.is_digit(radix)).unwrap_or(text.len());
    let digits = text.get(..length).unwrap_or_default();
    radix_number(digits, radix).map_or(f64::NAN, |number| sign * number)
}

/// `parseFloat(text)`: the longest beginning that is a number.
fn parse_float(text: &str) -> f64 {
    let text = text.trim_start_matches(super::value::is_space);
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if unsigned.starts_with("Infinity") {
        return if text.starts_with('-') { f64::NEG_INFINITY } else { f64::INFINITY };
    }
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let mut length = digits(unsigned);
    let rest = unsigned.get(length..).unwrap_or_default();
    if let Some(fraction) = rest.strip_prefix('.') {
        let after = digits(fraction);
        if length + after > 0 {
            length += 1 + after;
        }
    }
    let rest = unsigned.get(length..).unwrap_or_default();
    if let (true, Some(exponent)) = (length > 0, rest.strip_prefix(['e', 'E'])) {
        let unsigned_exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        let after = digits(unsigned_exponent);
        if after > 0 {
            length += 1 + (exponent.len() - unsigned_exponent.len()) + after;
        }
    }
    if length == 0 {
        return f64::NAN;
    }
    text.get(..text.len() - unsigned.len() + length).map_or(f64::NAN, text_number)
}
