//! Everything that is below an object, as JSON.

use crate::elements::{to_hex, to_json};
use crate::{Outcome, operations};
use hyperslab::{Attribute, Extent, Group, LinkKind, Object, Selection};
use serde_json::{Map, Value as Json, json};

/// The object with its attributes, elements and what it leads to.
pub(crate) fn object(object: &Object) -> Outcome<Json> {
    let mut attributes = Map::new();
    for attribute in object.attributes()? {
        attributes.insert(attribute.name().into_owned(), self::attribute(&attribute)?);
    }
    Ok(match object {
        Object::Group(group) => json!({ "attributes": attributes, "links": links(group)? }),
        Object::Dataset(dataset) => json!({
            "attributes": attributes,
            "shape": shape(&dataset.extent()),
            "max": dataset.extent().max(),
            "chunk": dataset.chunk_shape(),
            "layout": dataset.layout_name(),
            "type": dataset.datatype().to_string(),
            "filters": dataset.filters().map(|(number, _)| number).collect::<Vec<_>>(),
            "fill": dataset.fill_value().map(to_hex),
            "elements": operations::read(dataset, &Selection::All)?,
        }),
        Object::Datatype(named) => json!({ "attributes": attributes, "type": named.datatype().to_string() }),
        _ => Json::Null,
    })
}

fn links(group: &Group) -> Outcome<Json> {
    let mut links = Map::new();
    for link in group.links()? {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let leads = match &link.kind {
            LinkKind::Hard { .. } => object(&group.object(&link.name)?)?,
            LinkKind::Soft { path } => json!({ "soft": text(path) }),
            LinkKind::External { file, path } => json!({ "external": [text(file), text(path)] }),
            _ => Json::Null,
        };
        links.insert(link.name().into_owned(), leads);
    }
    Ok(Json::Object(links))
}

fn shape(extent: &Extent) -> Json {
    if *extent == Extent::Null { Json::Null } else { json!(extent.dims()) }
}

fn attribute(attribute: &Attribute) -> Outcome<Json> {
    let mut answer = json!({ "shape": shape(attribute.extent()), "type": attribute.datatype().to_string() });
    let (name, elements) = if attribute.datatype().has_variable_length() {
        ("values", Json::Array(attribute.values()?.iter().map(to_json).collect()))
    } else {
        ("hex", json!(to_hex(attribute.bytes()?)))
    };
    if let Some(object) = answer.as_object_mut() {
        object.insert(name.to_owned(), elements);
    }
    Ok(answer)
}
