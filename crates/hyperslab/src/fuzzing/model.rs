//! What is written is read, whatever the order of the calls.

use crate::error::Result;
use crate::file::File;
use crate::format::bytes::Bounds;
use crate::open_options::OpenOptions;
use crate::space::Selection;
use std::collections::BTreeMap;

/// Calls of one run.
const MOST_CALLS: usize = 200;

/// The elements each dataset has, by its name.
type Model = BTreeMap<String, Vec<i32>>;

/// Makes the calls that the bytes say, four of them each; every file that comes out has what the model has.
pub fn model(bytes: &[u8]) {
    let Some((first, calls)) = bytes.split_first() else { return };
    let bounds = if first % 2 == 0 { Bounds::V110 } else { Bounds::Earliest };
    let made = OpenOptions::new().bounds(bounds).create_in_memory();
    let Ok(mut file) = made else { return };
    let mut model = Model::new();
    let (calls, _) = calls.as_chunks::<4>();
    for call in calls.iter().take(MOST_CALLS) {
        let done = make(&mut file, &mut model, *call);
        assert!(done.is_ok(), "a call fails: {done:?}");
    }
    let done = again(&file).and_then(|file| check(&file, &model));
    assert!(done.is_ok(), "what was written cannot be read: {done:?}");
}

fn again(file: &File) -> Result<File> {
    OpenOptions::new().open_rw_bytes(file.to_bytes()?)
}

fn make(file: &mut File, model: &mut Model, [what, which, a, b]: [u8; 4]) -> Result<()> {
    let name = format!("d{}", which % 16);
    let Some(there) = model.get_mut(&name) else {
        return create(file, model, name, [what, a, b]);
    };
    match what % 6 {
        0 => {
            file.root()?.unlink(&name)?;
            model.remove(&name);
        }
        1 | 2 => {
            let from = usize::from(a) % there.len().max(1);
            let data: Vec<i32> =
                (0..i32::from(b)).map(|number| number * 3).take(there.len() - from).collect();
            if !data.is_empty() {
                let (from, to) = (from as u64, (from + data.len()) as u64);
                file.dataset(&name)?
                    .write_selection(&Selection::from_ranges(std::slice::from_ref(&(from..to)))?, &data)?;
                for (old, new) in there.iter_mut().skip(usize::try_from(from).unwrap_or(0)).zip(data) {
                    *old = new;
                }
            }
        }
        3 if file.dataset(&name)?.chunk_shape().is_some() => {
            file.dataset(&name)?.resize([u64::from(a)])?;
            there.resize(usize::from(a), -1);
        }
        4 => *file = again(file)?,
        _ => check(file, model)?,
    }
    Ok(())
}

fn create(file: &File, model: &mut Model, name: String, [what, a, b]: [u8; 3]) -> Result<()> {
    let data: Vec<i32> = (0..i32::from(a)).map(|number| number * i32::from(b)).collect();
    let new = file.new_dataset::<i32>().fill_value(-1_i32);
    let chunk = [u64::from(b % 9) + 1];
    let new = match what % 4 {
        0 => new,
        1 => new.chunk(chunk).max_shape([None]),
        2 => new.chunk(chunk).max_shape([None]).shuffle().deflate(1),
        _ => new.chunk(chunk).max_shape([Some(255)]).fletcher32(),
    };
    new.create_with(&name, &ndarray::Array1::from(data.clone()))?;
    model.insert(name, data);
    Ok(())
}

fn check(file: &File, model: &Model) -> Result<()> {
    let links = file.root()?.links()?;
    let names: Vec<String> = links.iter().map(|link| link.name().into_owned()).collect();
    assert!(names.iter().eq(model.keys()), "links are {names:?}, made were {:?}", model.keys());
    for (name, expected) in model {
        let found = file.dataset(name)?.read::<i32>()?;
        assert!(found.iter().eq(expected), "{name} is {found}, written was {expected:?}");
    }
    Ok(())
}
