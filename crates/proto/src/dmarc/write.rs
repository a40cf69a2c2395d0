//! Writing a report as RFC 7489 appendix C has it.

use super::{Report, Row};
use quick_xml::escape::escape;
use std::fmt::Write as _;

impl Report {
    /// The document; characters that XML cannot hold are left out.
    #[must_use]
    pub fn to_xml(&self) -> String {
        let mut xml = String::with_capacity(1_000 + 700 * self.rows.len());
        let alignment = |strict: bool| if strict { "s" } else { "r" };
        let _ = write!(
            xml,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<feedback>\n  <version>1.0</version>\n  <report_metadata>\n    \
             <org_name>{}</org_name>\n    <email>{}</email>\n    <report_id>{}</report_id>\n    \
             <date_range><begin>{}</begin><end>{}</end></date_range>\n  </report_metadata>\n  <policy_published>\n    \
             <domain>{}</domain>\n    <adkim>{}</adkim>\n    <aspf>{}</aspf>\n    <p>{}</p>\n    <sp>{}</sp>\n    \
             <pct>100</pct>\n  </policy_published>\n",
            text(&self.org),
            text(&self.email),
            text(&self.id),
            self.begin,
            self.end,
            text(&self.domain),
            alignment(self.strict_dkim),
            alignment(self.strict_spf),
            text(&self.policy),
            text(self.below.as_ref().unwrap_or(&self.policy)),
        );
        self.rows.iter().for_each(|row| record(&mut xml, row));
        xml.push_str("</feedback>\n");
        xml
    }
}

fn record(xml: &mut String, row: &Row) {
    let passed = |aligned: bool| if aligned { "pass" } else { "fail" };
    let _ = write!(
        xml,
        "  <record>\n    <row>\n      <source_ip>{}</source_ip>\n      <count>{}</count>\n      <policy_evaluated>\n        \
         <disposition>{}</disposition>\n        <dkim>{}</dkim>\n        <spf>{}</spf>\n",
        row.source,
        row.messages,
        row.disposition.as_str(),
        passed(row.dkim_aligned),
        passed(row.spf_aligned),
    );
    for reason in &row.reasons {
        let _ = writeln!(xml, "        <reason><type>{}</type></reason>", text(reason));
    }
    let _ = write!(
        xml,
        "      </policy_evaluated>\n    </row>\n    <identifiers>\n      <envelope_from>{}</envelope_from>\n      \
         <header_from>{}</header_from>\n    </identifiers>\n    <auth_results>\n",
        text(&row.envelope_from),
        text(&row.header_from),
    );
    for dkim in &row.dkim {
        let _ = writeln!(
            xml,
            "      <dkim><domain>{}</domain><selector>{}</selector><result>{}</result></dkim>",
            text(&dkim.domain),
            text(&dkim.selector),
            text(&dkim.result),
        );
    }
    if let Some(spf) = &row.spf {
        let _ = writeln!(
            xml,
            "      <spf><domain>{}</domain><scope>{}</scope><result>{}</result></spf>",
            text(&spf.domain),
            if spf.of_helo { "helo" } else { "mfrom" },
            text(&spf.result),
        );
    }
    xml.push_str("    </auth_results>\n  </record>\n");
}

/// XML 1.0 2.2: no control characters, not even escaped.
fn text(value: &str) -> String {
    let plain: String =
        value.chars().filter(|c| !c.is_control() && !matches!(c, '\u{fffe}' | '\u{ffff}')).collect();
    escape(plain).into_owned()
}
