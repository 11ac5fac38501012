//! `#[derive(Record)]` for the crate `hyperslab`, which has the documentation: a struct is a compound, an enum of
//! names without values is an enumeration.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{
    Attribute, Data, DataEnum, DeriveInput, Error, Fields, FieldsNamed, Ident, LitStr, Result,
    parse_macro_input,
};

/// Makes a struct with named fields a compound, and an enum of names without values an enumeration.
///
/// `#[hyperslab(rename = "name")]` on a field or a name gives it another name in the file. An enumeration is stored
/// as the integer of its `#[repr]`, `i32` without one.
#[proc_macro_derive(Record, attributes(hyperslab))]
pub fn record(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    expand(&input).unwrap_or_else(|error| error.to_compile_error()).into()
}

fn expand(input: &DeriveInput) -> Result<TokenStream> {
    match &input.data {
        Data::Struct(of) => match &of.fields {
            Fields::Named(fields) => compound(input, fields),
            _ => {
                Err(Error::new_spanned(&input.ident, "members of a compound have names, so fields must too"))
            }
        },
        Data::Enum(of) => enumeration(input, of),
        Data::Union(_) => Err(Error::new_spanned(&input.ident, "a union is no element of an HDF5 datatype")),
    }
}

fn compound(input: &DeriveInput, fields: &FieldsNamed) -> Result<TokenStream> {
    if fields.named.is_empty() {
        return Err(Error::new_spanned(&input.ident, "a compound has at least one member"));
    }
    let mut names = Vec::new();
    let mut idents = Vec::new();
    let mut types = Vec::new();
    for field in &fields.named {
        let Some(ident) = &field.ident else { continue };
        names.push(stored_name(ident, &field.attrs)?);
        idents.push(ident);
        types.push(&field.ty);
    }
    let mut generics = input.generics.clone();
    if !generics.params.is_empty() {
        let bounds = generics.make_where_clause();
        for ty in &types {
            bounds.predicates.push(syn::parse_quote!(#ty: ::hyperslab::Record));
        }
    }
    let (parameters, arguments, bounds) = generics.split_for_impl();
    let this = &input.ident;
    Ok(quote! {
        #[automatically_derived]
        impl #parameters ::hyperslab::Record for #this #arguments #bounds {
            const SIZE: usize = 0 #( + <#types as ::hyperslab::Record>::SIZE )*;

            fn datatype() -> ::hyperslab::Result<::hyperslab::Datatype> {
                ::hyperslab::Datatype::compound()
                    #( .member(#names, <#types as ::hyperslab::Record>::datatype()?) )*
                    .build()
            }

            fn take(bytes: &mut &[u8]) -> ::hyperslab::Result<Self> {
                ::core::result::Result::Ok(Self {
                    #( #idents: <#types as ::hyperslab::Record>::take(bytes)?, )*
                })
            }

            fn put(&self, bytes: &mut ::std::vec::Vec<u8>) {
                #( ::hyperslab::Record::put(&self.#idents, bytes); )*
            }
        }
    })
}

fn enumeration(input: &DeriveInput, of: &DataEnum) -> Result<TokenStream> {
    if of.variants.is_empty() {
        return Err(Error::new_spanned(&input.ident, "an enumeration has at least one name"));
    }
    let mut names = Vec::new();
    let mut idents = Vec::new();
    for variant in &of.variants {
        if !matches!(variant.fields, Fields::Unit) {
            return Err(Error::new_spanned(variant, "a name of an enumeration holds no values"));
        }
        names.push(stored_name(&variant.ident, &variant.attrs)?);
        idents.push(&variant.ident);
    }
    let (this, base) = (&input.ident, base(&input.attrs)?);
    let (parameters, arguments, bounds) = input.generics.split_for_impl();
    Ok(quote! {
        #[automatically_derived]
        impl #parameters ::hyperslab::Record for #this #arguments #bounds {
            const SIZE: usize = <#base as ::hyperslab::Record>::SIZE;

            fn datatype() -> ::hyperslab::Result<::hyperslab::Datatype> {
                let base = ::hyperslab::Datatype::of::<#base>();
                ::hyperslab::Datatype::enumeration(&base, [ #( (#names, Self::#idents as #base as i128) ),* ])
            }

            fn take(bytes: &mut &[u8]) -> ::hyperslab::Result<Self> {
                let value = <#base as ::hyperslab::Record>::take(bytes)?;
                #( if value == Self::#idents as #base { return ::core::result::Result::Ok(Self::#idents); } )*
                ::core::result::Result::Err(::hyperslab::Error::unnamed(value as i128))
            }

            fn put(&self, bytes: &mut ::std::vec::Vec<u8>) {
                let value = match self { #( Self::#idents => Self::#idents as #base, )* };
                ::hyperslab::Record::put(&value, bytes);
            }
        }
    })
}

/// The name in the file: that of the source, unless an attribute says another.
fn stored_name(ident: &Ident, attributes: &[Attribute]) -> Result<String> {
    let mut name = ident.to_string();
    if let Some(plain) = name.strip_prefix("r#") {
        name = plain.to_owned();
    }
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("hyperslab")) {
        attribute.parse_nested_meta(|meta| {
            if !meta.path.is_ident("rename") {
                return Err(meta.error("only `rename = \"name\"` is known"));
            }
            name = meta.value()?.parse::<LitStr>()?.value();
            Ok(())
        })?;
    }
    Ok(name)
}

/// The integer of `#[repr]`, `i32` without one, as it is in C.
fn base(attributes: &[Attribute]) -> Result<Ident> {
    let mut base = format_ident!("i32");
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("repr")) {
        attribute.parse_nested_meta(|meta| {
            if let Some(ident) = meta.path.get_ident() {
                let fixed = ["i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64"];
                if fixed.iter().any(|one| ident == one) {
                    base = ident.clone();
                } else if ident != "C" {
                    return Err(
                        meta.error("an enumeration is stored as an integer of fixed size, `#[repr(u8)]`")
                    );
                }
            }
            Ok(())
        })?;
    }
    Ok(base)
}
