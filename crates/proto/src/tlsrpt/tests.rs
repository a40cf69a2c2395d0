//! The RFC's own examples, and what is none of its records.

use super::*;

/// RFC 8460 appendix B.
const EXAMPLE: &str = r#"{
  "organization-name": "Company-X",
  "date-range": {
    "start-datetime": "2016-04-01T00:00:00Z",
    "end-datetime": "2016-04-01T23:59:59Z"
  },
  "contact-info": "sts-reporting@company-x.example",
  "report-id": "5065427c-23d3-47ca-b6e0-946ea0e8c4be",
  "policies": [{
    "policy": {
      "policy-type": "sts",
      "policy-string": ["version: STSv1","mode: testing",
            "mx: *.mail.company-y.example","max_age: 86400"],
      "policy-domain": "company-y.example",
      "mx-host": ["*.mail.company-y.example"]
    },
    "summary": {
      "total-successful-session-count": 5326,
      "total-failure-session-count": 303
    },
    "failure-details": [{
      "result-type": "certificate-expired",
      "sending-mta-ip": "2001:db8:abcd:0012::1",
      "receiving-mx-hostname": "mx1.mail.company-y.example",
      "failed-session-count": 100
    }, {
      "result-type": "starttls-not-supported",
      "sending-mta-ip": "2001:db8:abcd:0013::1",
      "receiving-mx-hostname": "mx2.mail.company-y.example",
      "receiving-ip": "203.0.113.56",
      "failed-session-count": 200,
      "additional-information": "https://reports.company-x.example/report_info?id=5065427c-23d3#StarttlsNotSupported"
    }, {
      "result-type": "validation-failure",
      "sending-mta-ip": "198.51.100.62",
      "receiving-ip": "203.0.113.58",
      "receiving-mx-hostname": "mx-backup.mail.company-y.example",
      "failed-session-count": 3,
      "failure-reason-code": "X509_V_ERR_PROXY_PATH_LENGTH_EXCEEDED"
    }]
  }]
}"#;

fn details(result_type: ResultType, from: &str, mx: &str, count: u64) -> FailureDetails {
    let failure = Failure {
        result_type,
        sending_mta_ip: Some(from.parse().unwrap()),
        receiving_mx_hostname: Some(format!("{mx}.mail.company-y.example")),
        receiving_ip: None,
        failure_reason_code: None,
    };
    FailureDetails { failure, failed_session_count: count, additional_information: None }
}

fn example() -> Report {
    let expired = details(ResultType::CertificateExpired, "2001:db8:abcd:12::1", "mx1", 100);
    let mut stripped = details(ResultType::StarttlsNotSupported, "2001:db8:abcd:13::1", "mx2", 200);
    stripped.failure.receiving_ip = Some("203.0.113.56".parse().unwrap());
    let more = "https://reports.company-x.example/report_info?id=5065427c-23d3#StarttlsNotSupported";
    stripped.additional_information = Some(more.into());
    let mut failed = details(ResultType::ValidationFailure, "198.51.100.62", "mx-backup", 3);
    failed.failure.receiving_ip = Some("203.0.113.58".parse().unwrap());
    failed.failure.failure_reason_code = Some("X509_V_ERR_PROXY_PATH_LENGTH_EXCEEDED".into());
    let lines = ["version: STSv1", "mode: testing", "mx: *.mail.company-y.example", "max_age: 86400"];
    let policy = Policy {
        policy_type: PolicyType::Sts,
        policy_string: lines.map(str::to_owned).to_vec(),
        policy_domain: "company-y.example".into(),
        mx_host: vec!["*.mail.company-y.example".into()],
    };
    let summary = Summary { total_successful_session_count: 5326, total_failure_session_count: 303 };
    Report {
        organization_name: "Company-X".into(),
        date_range: DateRange {
            start_datetime: "2016-04-01T00:00:00Z".parse().unwrap(),
            end_datetime: "2016-04-01T23:59:59Z".parse().unwrap(),
        },
        contact_info: "sts-reporting@company-x.example".into(),
        report_id: "5065427c-23d3-47ca-b6e0-946ea0e8c4be".into(),
        policies: vec![Results { policy, summary, failure_details: vec![expired, stripped, failed] }],
    }
}

#[test]
fn the_example_of_the_rfc_is_what_is_written() {
    let read: Report = serde_json::from_str(EXAMPLE).unwrap();
    assert_eq!(read, example());
    let canonical = EXAMPLE.replace(":0012:", ":12:").replace(":0013:", ":13:");
    let written = serde_json::to_value(example()).unwrap();
    assert_eq!(written, serde_json::from_str::<serde_json::Value>(&canonical).unwrap());
}

#[test]
fn what_is_not_known_is_not_said() {
    let failure = Failure {
        result_type: ResultType::DnssecInvalid,
        sending_mta_ip: None,
        receiving_mx_hostname: None,
        receiving_ip: None,
        failure_reason_code: None,
    };
    let details = FailureDetails { failure, failed_session_count: 1, additional_information: None };
    let policy = Policy::none("a.vn");
    let results = Results { policy, summary: Summary::default(), failure_details: vec![details] };
    assert_eq!(
        serde_json::to_string(&results).unwrap(),
        r#"{"policy":{"policy-type":"no-policy-found","policy-domain":"a.vn"},"summary":{"total-successful-session-count":0,"total-failure-session-count":0},"failure-details":[{"result-type":"dnssec-invalid","failed-session-count":1}]}"#
    );
}

#[test]
fn every_result_has_the_name_that_is_written() {
    for result in ResultType::ALL {
        assert_eq!(serde_json::to_value(result).unwrap(), result.as_str());
        assert_eq!(ResultType::from_name(result.as_str()), Some(result));
    }
    for kind in [PolicyType::Tlsa, PolicyType::Sts, PolicyType::NoPolicyFound] {
        assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        assert_eq!(PolicyType::from_name(kind.as_str()), Some(kind));
    }
    assert_eq!((ResultType::from_name("x"), PolicyType::from_name("")), (None, None));
}

#[test]
fn names_of_a_report() {
    let report = example();
    assert_eq!(
        report.file_name("company-y.example", "company-x.example"),
        "company-x.example!company-y.example!1459468800!1459555199.json.gz"
    );
    assert_eq!(
        report.subject("company-y.example", "company-x.example"),
        "Report Domain: company-y.example Submitter: company-x.example \
         Report-ID: <5065427c-23d3-47ca-b6e0-946ea0e8c4be@company-x.example>"
    );
    let mut json = String::new();
    let packed = report.packed();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(packed.as_slice()), &mut json).unwrap();
    assert_eq!(serde_json::from_str::<Report>(&json).unwrap(), report);
}

fn named(texts: &[&str]) -> Vec<Place> {
    places(&texts.iter().map(|text| text.as_bytes().to_vec()).collect::<Vec<_>>())
}

fn mail(address: &str) -> Place {
    Place::Mail(address.into())
}

#[test]
fn records_that_are_as_the_grammar_has_them() {
    let https = || Place::Https("https://reporting.example.com/v1/tlsrpt".into());
    for (texts, expected) in [
        (&["v=TLSRPTv1;rua=mailto:reports@example.com"][..], vec![mail("reports@example.com")]),
        (&["v=TLSRPTv1; rua=https://reporting.example.com/v1/tlsrpt"], vec![https()]),
        (
            &["v=TLSRPTv1;rua=mailto:a@b.vn , https://reporting.example.com/v1/tlsrpt ; "],
            vec![mail("a@b.vn"), https()],
        ),
        (
            &["v=TLSRPTv1;\trua=mailto:a@b.vn;x-new.1=$yes;rua=MailTo:c@b.vn"],
            vec![mail("a@b.vn"), mail("c@b.vn")],
        ),
        (
            &["v=spf1 -all", "v=TLSRPTv1; rua=mailto:a@b.vn", "v=TLSRPTv2; rua=mailto:d@b.vn"],
            vec![mail("a@b.vn")],
        ),
        (&["v=TLSRPTv1; rua=mailto:a%2Cc%21@b.vn?subject=x"], vec![mail("a,c!@b.vn")]),
        (&["v=TLSRPTv1; rua=ftp://b.vn/,mailto:a@b.vn"], vec![mail("a@b.vn")]),
        (&["v=TLSRPTv1; rua=mailto:%ff@b.vn"], vec![]),
    ] {
        assert_eq!(named(texts), expected, "{texts:?}");
    }
    let many: Vec<String> = (0..30).map(|n| format!("mailto:{n}@b.vn")).collect();
    assert_eq!(named(&[&format!("v=TLSRPTv1; rua={}", many.join(","))]).len(), 10);
}

#[test]
fn what_is_no_record() {
    for texts in [
        &[][..],
        &["v=TLSRPTv1"],
        &["v=TLSRPTv1;"],
        &["v=TLSRPTv1; x=y"],
        &["v=tlsrptv1; rua=mailto:a@b.vn"],
        &[" v=TLSRPTv1; rua=mailto:a@b.vn"],
        &["v=TLSRPTv1 rua=mailto:a@b.vn"],
        &["v=TLSRPTv11; rua=mailto:a@b.vn"],
        &["v=TLSRPTv1; rua=mailto:a@b.vn", "v=TLSRPTv1; rua=mailto:a@b.vn"],
        &["v=TLSRPTv1;; rua=mailto:a@b.vn"],
        &["v=TLSRPTv1; rua=mailto:a@b.vn;;"],
        &["v=TLSRPTv1; rua ="],
        &["v=TLSRPTv1; rua="],
        &["v=TLSRPTv1; rua = mailto:a@b.vn"],
        &["v=TLSRPTv1; rua=a@b.vn"],
        &["v=TLSRPTv1; rua=mailto:a@b.vn,"],
        &["v=TLSRPTv1; rua=mailto:a@b.vn!10m"],
        &["v=TLSRPTv1; rua=mailto:a b@b.vn"],
        &["v=TLSRPTv1; rua=mailto:a%4@b.vn"],
        &["v=TLSRPTv1; rua=mailto:đ@b.vn"],
        &["v=TLSRPTv1; rua=mailto:a@b.vn; x"],
        &["v=TLSRPTv1; rua=mailto:a@b.vn; x="],
        &["v=TLSRPTv1; rua=mailto:a@b.vn; x=a b"],
        &["v=TLSRPTv1; rua=mailto:a@b.vn; _x=1"],
    ] {
        assert_eq!(named(texts), [], "{texts:?}");
    }
    assert_eq!(named(&[&format!("v=TLSRPTv1; rua=mailto:{}@b.vn", "a".repeat(RECORD_BYTES_MAX))]), []);
    assert_eq!(places(&[b"v=TLSRPTv1; rua=mailto:a\xff@b.vn".to_vec()]), []);
}

proptest::proptest! {
    #[test]
    fn whatever_is_published_is_read_or_refused(text in "v=TLSRPTv1;[ -~]{0,60}(rua=mailto:[!-~%]{0,30}[,;]?){0,12}") {
        assert!(named(&[&text]).len() <= 10);
    }
}
