//! The attribute of `serin-host` that runs a test under every profile.

#![forbid(unsafe_code)]

use proc_macro::TokenStream;
use proc_macro2::TokenStream as Tokens;
use quote::{format_ident, quote};
use syn::punctuated::Punctuated;
use syn::{Error, FnArg, Ident, ItemFn, Token, parse_macro_input};

/// The variants of `Profile`, with the name that a test under each of them has.
const PROFILES: [(&str, &str); 4] =
    [("Envoy1_36", "envoy_1_36"), ("Envoy1_40", "envoy_1_40"), ("Istio", "istio"), ("EnvoyGateway", "envoy_gateway")];

/// Makes a test of a function that takes a `Profile`: one for every profile, or for those that are named.
///
/// The tests of `fn name(profile: Profile)` are `name::envoy_1_36`, `name::envoy_1_40`, `name::istio` and
/// `name::envoy_gateway`. The function may return what a test may return.
#[proc_macro_attribute]
pub fn under_profiles(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let named = parse_macro_input!(arguments with Punctuated::<Ident, Token![,]>::parse_terminated);
    let function = parse_macro_input!(item as ItemFn);
    expand(&named.into_iter().collect::<Vec<_>>(), &function).unwrap_or_else(Error::into_compile_error).into()
}

fn expand(named: &[Ident], function: &ItemFn) -> Result<Tokens, Error> {
    let signature = &function.sig;
    if signature.inputs.len() != 1 || !matches!(signature.inputs.first(), Some(FnArg::Typed(_))) {
        return Err(Error::new_spanned(&signature.inputs, "a test under profiles takes one argument, the profile"));
    }
    let (name, output) = (&signature.ident, &signature.output);
    // What is said of the test, such as `should_panic`, holds for each of them.
    let (docs, attributes): (Vec<_>, Vec<_>) =
        function.attrs.iter().partition(|attribute| attribute.path().is_ident("doc"));
    let (visibility, block) = (&function.vis, &function.block);
    let tests = chosen(named)?.into_iter().map(|(variant, test)| {
        let (variant, test) = (format_ident!("{variant}"), format_ident!("{test}"));
        quote! {
            #[test]
            #(#attributes)*
            fn #test() #output {
                super::#name(::serin_host::Profile::#variant)
            }
        }
    });
    Ok(quote! {
        #(#docs)*
        #visibility #signature #block

        mod #name {
            #[allow(unused_imports, reason = "what a test returns may need it")]
            use super::*;

            #(#tests)*
        }
    })
}

fn chosen(named: &[Ident]) -> Result<Vec<(&'static str, &'static str)>, Error> {
    if named.is_empty() {
        return Ok(PROFILES.to_vec());
    }
    let find = |ident: &Ident| {
        let known = PROFILES.iter().find(|(variant, _)| ident == variant).copied();
        let names = PROFILES.map(|(variant, _)| variant).join(", ");
        known.ok_or_else(|| Error::new_spanned(ident, format!("there is no profile {ident}; there are {names}")))
    };
    named.iter().map(find).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(named: &[&str], function: &str, expected: Result<usize, &str>) {
        let named: Vec<Ident> = named.iter().map(|name| format_ident!("{name}")).collect();
        let function: ItemFn = syn::parse_str(function).unwrap();
        match (expand(&named, &function), expected) {
            (Ok(tokens), Ok(tests)) => {
                let text = tokens.to_string();
                let panics = if function.attrs.is_empty() { 0 } else { tests };
                assert_eq!((text.matches("# [test]").count(), text.matches("should_panic").count()), (tests, panics));
            }
            (Err(error), Err(words)) => assert!(error.to_string().contains(words), "{error}"),
            (found, _) => panic!("{found:?}"),
        }
    }

    #[test]
    fn a_test_is_made_for_each_profile() {
        check(&[], "fn works(profile: Profile) {}", Ok(4));
        check(&[], "#[should_panic] fn works(profile: Profile) {}", Ok(4));
        check(&["Istio"], "fn works(profile: Profile) -> Result<(), Death> { Ok(()) }", Ok(1));
    }

    #[test]
    fn mistakes_are_named() {
        check(&[], "fn works() {}", Err("takes one argument, the profile"));
        check(&["Nginx"], "fn works(profile: Profile) {}", Err("there is no profile Nginx; there are Envoy1_36"));
    }
}
