//! Why slots are drawn anew.

use super::{Secrets, Side};
use crate::keys::{Keys, Purpose};
use crate::rules::{Hold, Prefer, Shared, UnitSource};

/// Why no unit keeps its slot; or why that cannot be known.
pub(super) fn redrawn(old: Side<'_>, new: Side<'_>, secrets: &Secrets) -> Result<Vec<&'static str>, String> {
    let (Some(before), Some(after)) = (old.shared, new.shared) else { return Ok(Vec::new()) };
    let is_free = |shared: &Shared| shared.sticky.hold == Hold::None;
    if is_free(before) && is_free(after) {
        return Ok(Vec::new());
    }
    let (sticky, then) = (&before.sticky, &after.sticky);
    let mut reasons = vec![
        (before.release != after.release, "release"),
        (before.release == after.release && before.key != after.key, "cohort"),
        ((&sticky.units, sticky.prefer) != (&then.units, then.prefer), "the units of sticky"),
        (is_free(before) != is_free(after), "hold: none"),
    ];
    if asks_cookie(before) || asks_cookie(after) {
        let name = |side: Side<'_>| side.rules.cookie.as_ref().map(|cookie| cookie.name.clone());
        let (name, then) = (name(old), name(new));
        let has_both = name.is_some() && then.is_some();
        let forgets = has_both && forgets(old.rules.keys(), new.rules.keys(), secrets)?;
        reasons.push((name != then, "the visitor cookie"));
        reasons.push((forgets, "the key that signed cookies"));
    }
    Ok(reasons.into_iter().filter(|(differs, _)| *differs).map(|(_, what)| what).collect())
}

/// Whether some unit is told by the visitor cookie: every request has an address.
fn asks_cookie(shared: &Shared) -> bool {
    !(shared.sticky.prefer == Prefer::Unit && shared.sticky.units.contains(&UnitSource::Address))
}

/// Whether what was written with some keys does not count with others.
fn forgets(before: Option<&Keys>, after: Option<&Keys>, secrets: &Secrets) -> Result<bool, String> {
    let (Some(after), Some(before)) = (after, before) else { return Ok(after.is_some()) };
    let Some(signer) = before.signer() else { return Ok(true) };
    if !after.knows(signer) {
        return Ok(true);
    }
    match secrets {
        Secrets::Known => {
            const PURPOSE: Purpose<'_> = Purpose::Cookie("canary");
            let mut text = "n".to_owned();
            before.sign(PURPOSE, &mut text, 0);
            Ok(after.verified(PURPOSE, text.as_bytes()).is_none())
        }
        Secrets::Same => Ok(false),
        Secrets::Unknown(why) => Err(why.clone()),
    }
}
