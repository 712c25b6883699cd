//! Ids of activities that the manager derives from the backend's. Agents see them, the backend
//! never does.

use core::fmt::Write;

use heapless::String;

use crate::limits::ACTIVITY_ID_MAX;
use crate::model::text::Text;

/// Ends the id of the activity in which a domain is restored (docs/whole-device.md,
/// "Restoring").
const RESTORE: &str = "#restore";

/// An id, escaped as in JSON.
pub type ActivityId = String<ACTIVITY_ID_MAX>;

/// Returns the id of the activity in which domains of this one are restored; none if it would
/// be longer than `ACTIVITY_ID_MAX`.
pub fn restoring(id: Text<'_>) -> Option<ActivityId> {
    let mut derived = ActivityId::new();
    write!(derived, "{}{RESTORE}", id.as_json()).ok()?;
    Some(derived)
}

/// Returns the id of the activity whose domains are restored in this one; none if it is not
/// such an activity.
pub fn restored(id: Text<'_>) -> Option<Text<'_>> {
    id.as_json().strip_suffix(RESTORE).map(Text::from_checked)
}

/// Returns the id of the requests for inventories after so many boots of the host in an
/// activity (docs/whole-device.md, "Across a reboot"); none if it would be too long.
pub fn booted(id: Text<'_>, boots: u8) -> Option<ActivityId> {
    let mut derived = ActivityId::new();
    write!(derived, "{}#boot{boots}", id.as_json()).ok()?;
    Some(derived)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::EXTENDED_ID_MAX;

    #[test]
    fn what_is_derived_fits_up_to_the_limit_and_leads_back() {
        let id = |len: usize| "a".repeat(len);
        let (longest, too_long) = (id(EXTENDED_ID_MAX), id(EXTENDED_ID_MAX + 1));
        let derived = restoring(Text::from_checked(&longest)).unwrap();
        assert_eq!(restored(Text::from_checked(&derived)).unwrap().as_json(), longest);
        assert!(booted(Text::from_checked(&longest), u8::MAX).is_some());
        assert_eq!(restoring(Text::from_checked(&too_long)), None);
        assert_eq!(restored(Text::from_checked(&longest)), None);
    }
}
