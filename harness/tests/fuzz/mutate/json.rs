//! Changes of JSON that leave it JSON.

use serde_json::{Number, Value, json};

use super::text;
use crate::random::Random;

/// Changes one value of `root`.
pub fn change(root: &mut Value, random: &mut Random) {
    let count = size(root);
    let copy = node(root, random.below(count)).cloned();
    let Some(node) = node_mut(root, &mut random.below(count)) else {
        return;
    };
    match random.below(8) {
        0 => *node = extreme(random),
        1 => *node = copy.filter(|copy| size(copy) < 200).unwrap_or(Value::Null),
        2 => remove(node, random),
        3 => twice(node, random),
        _ => alter(node, random),
    }
}

/// How many values there are.
fn size(value: &Value) -> usize {
    1 + children(value).map(size).sum::<usize>()
}

fn children(value: &Value) -> Box<dyn Iterator<Item = &Value> + '_> {
    match value {
        Value::Array(items) => Box::new(items.iter()),
        Value::Object(members) => Box::new(members.values()),
        _ => Box::new(std::iter::empty()),
    }
}

fn node(value: &Value, index: usize) -> Option<&Value> {
    let mut open = vec![value];
    let mut left = index;
    while let Some(next) = open.pop() {
        if left == 0 {
            return Some(next);
        }
        left -= 1;
        open.extend(children(next));
    }
    None
}

fn node_mut<'a>(value: &'a mut Value, left: &mut usize) -> Option<&'a mut Value> {
    if *left == 0 {
        return Some(value);
    }
    *left -= 1;
    match value {
        Value::Array(items) => items.iter_mut().find_map(|item| node_mut(item, left)),
        Value::Object(members) => members.values_mut().find_map(|item| node_mut(item, left)),
        _ => None,
    }
}

fn extreme(random: &mut Random) -> Value {
    let all = [
        json!(null),
        json!(true),
        json!(0),
        json!(-1),
        json!(4),
        json!(32),
        json!(64),
        json!(255),
        json!(256),
        json!(u32::MAX),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(1e300),
        json!(-0.5),
        json!(""),
        json!("x"),
        json!([]),
        json!({}),
    ];
    random.choose(&all).cloned().unwrap_or(Value::Null)
}

fn remove(node: &mut Value, random: &mut Random) {
    match node {
        Value::Array(items) if !items.is_empty() => drop(items.remove(random.below(items.len()))),
        Value::Object(members) => {
            let name = members.keys().nth(random.below(members.len())).cloned();
            name.map(|name| members.remove(&name));
        }
        other => alter(other, random),
    }
}

fn twice(node: &mut Value, random: &mut Random) {
    match node {
        Value::Array(items) => {
            let item = random.choose(items).cloned();
            items.extend(item);
        }
        Value::Object(members) => {
            let name = members.keys().nth(random.below(members.len())).cloned();
            let named =
                name.and_then(|name| Some((format!("{name}x"), members.get(&name)?.clone())));
            members.extend(named);
        }
        other => alter(other, random),
    }
}

/// Another value of the same type.
fn alter(node: &mut Value, random: &mut Random) {
    match node {
        Value::Number(number) => *number = near(number, random),
        Value::String(own) => {
            let mut bytes = own.clone().into_bytes();
            text::change(&mut bytes, own.as_bytes(), random);
            *own = String::from_utf8_lossy(&bytes).into_owned();
        }
        Value::Bool(own) => *own = !*own,
        Value::Array(items) if !items.is_empty() => {
            let at = random.below(items.len());
            alter(&mut items[at], random);
        }
        other => *other = extreme(random),
    }
}

fn near(number: &Number, random: &mut Random) -> Number {
    let Some(value) = number.as_u64() else {
        return Number::from(random.next());
    };
    Number::from(match random.below(8) {
        0 => value.wrapping_add(1),
        1 => value.wrapping_sub(1),
        2 => random.below(8) as u64,
        3 => random.below(256) as u64,
        4 => u64::from(random.next() as u32),
        5 => u64::from(u32::MAX),
        6 => 1 << random.below(32),
        _ => value ^ 1 << random.below(32),
    })
}
