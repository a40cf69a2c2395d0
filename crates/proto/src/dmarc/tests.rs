//! Round trips, what others write, and what somebody hostile does.

use super::*;
use std::io::Write as _;
use std::time::Instant;

fn report() -> Report {
    let row = |source: &str, aligned| Row {
        source: source.parse().unwrap(),
        messages: 12,
        disposition: if aligned { Disposition::None } else { Disposition::Reject },
        dkim_aligned: aligned,
        spf_aligned: false,
        reasons: if aligned { Vec::new() } else { vec!["local_policy".into()] },
        header_from: "thu.a.vn".into(),
        envelope_from: if aligned { "bounce.example".into() } else { String::new() },
        dkim: vec![DkimResult { domain: "a.vn".into(), selector: "s&1".into(), result: "pass".into() }],
        spf: Some(SpfResult { domain: "mx.example".into(), of_helo: !aligned, result: "fail".into() }),
    };
    Report {
        org: "Sở <TT&TT> \"An Giang\"".into(),
        email: "dmarc-noreply@b.vn".into(),
        id: "20261122.a.vn@b.vn".into(),
        begin: 1_795_305_600,
        end: 1_795_391_999,
        domain: "a.vn".into(),
        strict_dkim: true,
        strict_spf: false,
        policy: "reject".into(),
        below: Some("quarantine".into()),
        rows: vec![row("192.0.2.1", true), row("2001:db8::1", false)],
    }
}

#[test]
fn what_is_written_is_read() {
    let report = report();
    let xml = report.to_xml();
    assert_eq!(read(xml.as_bytes()).unwrap(), report);
    let packed = pack(&xml);
    assert_eq!(unpack(&packed).unwrap(), xml.as_bytes());
    assert_eq!(report.file_name("b.vn"), "b.vn!a.vn!1795305600!1795391999.xml.gz");
    assert_eq!(report.subject("b.vn"), "Report Domain: a.vn Submitter: b.vn Report-ID: <20261122.a.vn@b.vn>");
    // What XML cannot hold is left out, also escaped.
    let odd = Report { org: "a\u{0}b\u{1b}c]]>".into(), ..report };
    assert_eq!(read(odd.to_xml().as_bytes()).unwrap().org, "abc]]>");
}

/// As Google, Microsoft and others write: with other elements, other order, a name space, layout, CDATA, results in capitals.
#[test]
fn what_others_write_is_read() {
    let xml = "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<feedback xmlns=\"urn:ietf:params:xml:ns:dmarc-2.0\">\n\
        <report_metadata><report_id>\n  42 \n</report_id><org_name><![CDATA[google.com]]></org_name><error>x</error>\
        <extra_contact_info>https://x</extra_contact_info><date_range><end>2</end><begin>1</begin></date_range></report_metadata>\
        <policy_published><domain>A.VN.</domain><np>reject</np><p>none</p><testing>n</testing></policy_published>\
        <record><row><source_ip>192.0.2.7</source_ip><count>3</count><policy_evaluated><disposition>pass</disposition>\
        <dkim>pass</dkim><spf>fail</spf></policy_evaluated></row><identifiers><envelope_to>z.vn</envelope_to>\
        <header_from>a.vn</header_from></identifiers><auth_results><dkim/><dkim><domain>a.vn</domain><result>pass</result>\
        <human_result>a &lt;b&gt; &#38; c</human_result></dkim><spf><domain>a.vn</domain><result>none</result></spf>\
        </auth_results><extension><x><y>1</y></x></extension></record>\
        <record><row><source_ip>nonsense</source_ip><count>3</count></row></record>\
        <record><row><source_ip>192.0.2.8</source_ip><count>-3</count></row></record></feedback>";
    let read = read(xml.as_bytes()).unwrap();
    assert_eq!((read.org.as_str(), read.id.as_str(), read.domain.as_str()), ("google.com", "42", "a.vn"));
    assert_eq!((read.begin, read.end, read.policy.as_str()), (1, 2, "none"));
    assert_eq!(read.rows.len(), 1);
    assert_eq!((read.rows[0].messages, read.rows[0].dkim_aligned), (3, true));
    assert_eq!(read.rows[0].dkim.len(), 1);
    assert_eq!(super::unpack(xml.as_bytes()).unwrap(), xml.as_bytes());
}

#[test]
fn nothing_is_expanded() {
    let bomb = "<?xml version=\"1.0\"?><!DOCTYPE feedback [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;\">\
                ]><feedback><report_metadata><org_name>&b;</org_name></report_metadata></feedback>";
    assert_eq!(read(bomb.as_bytes()), Err(Unreadable::Xml("it defines a type of its own")));
    let outside = "<feedback><report_metadata><org_name>&xxe;</org_name></report_metadata></feedback>";
    assert_eq!(read(outside.as_bytes()), Err(Unreadable::Xml("it has an entity that nobody defined")));
}

#[test]
fn what_holds_more_than_it_may_is_refused() {
    let zeros = vec![b' '; 64 << 20];
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(&zeros).unwrap();
    let gzip = gzip.finish().unwrap();
    assert!(gzip.len() < 100_000);
    assert_eq!(unpack(&gzip), Err(Unreadable::TooLarge));
    // By its ratio alone, although it is small enough.
    let mut small = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    small.write_all(&zeros[..4 << 20]).unwrap();
    assert_eq!(unpack(&small.finish().unwrap()), Err(Unreadable::TooLarge));
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    archive.start_file("r.xml", zip::write::SimpleFileOptions::default()).unwrap();
    archive.write_all(&zeros).unwrap();
    let archive = archive.finish().unwrap().into_inner();
    assert_eq!(unpack(&archive), Err(Unreadable::TooLarge));
    let mut many = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for n in 0..2_000 {
        many.start_file(format!("{n}.xml"), zip::write::SimpleFileOptions::default()).unwrap();
    }
    assert_eq!(unpack(&many.finish().unwrap().into_inner()), Err(Unreadable::TooLarge));
}

#[test]
fn a_report_in_an_archive_is_read() {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, text) in [("readme.txt", "x".to_owned()), ("b.vn!a.vn!1!2.XML", report().to_xml())] {
        archive.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        archive.write_all(text.as_bytes()).unwrap();
    }
    let archive = archive.finish().unwrap().into_inner();
    assert_eq!(read(&unpack(&archive).unwrap()).unwrap(), report());
}

/// An entry of a directory with this name, which is of no file.
fn entry(name: &[u8]) -> Vec<u8> {
    let length = u16::try_from(name.len()).unwrap().to_le_bytes();
    [b"PK\x01\x02".as_slice(), &[0; 24], &length, &[0; 16], name].concat()
}

/// The end of an archive that says to have so many files, whose directory begins at `at`.
fn end(files: u16, at: u32) -> Vec<u8> {
    let files = files.to_le_bytes();
    [b"PK\x05\x06".as_slice(), &[0; 4], &files, &files, &[0; 4], &at.to_le_bytes(), &[0; 2]].concat()
}

/// A directory that names one file as often as there is room: a reader that keeps names says that there is one.
#[test]
fn no_more_is_read_of_a_directory_than_of_an_archive_of_reports() {
    let local = [b"PK\x03\x04".as_slice(), &[0; 26]].concat();
    let many = [local.clone(), entry(b"r.xml").repeat(60_000), end(60_000, 30)].concat();
    assert_eq!(unpack(&many), Err(Unreadable::TooLarge));
    // Told by the record of ZIP64, as one file and as a number that no memory has room for.
    for (files, refused) in
        [(1_u64, Unreadable::Packing), (9, Unreadable::TooLarge), (u64::MAX, Unreadable::TooLarge)]
    {
        let record_at = u64::try_from(local.len() + entry(b"r.xml").len()).unwrap();
        let record = [
            b"PK\x06\x06".as_slice(),
            &[0; 20],
            &files.to_le_bytes(),
            &files.to_le_bytes(),
            &[0; 8],
            &u64::MAX.to_le_bytes(),
        ];
        let locator = [b"PK\x06\x07".as_slice(), &[0; 4], &record_at.to_le_bytes(), &[0; 4]];
        let archive =
            [local.clone(), entry(b"r.xml"), record.concat(), locator.concat(), end(u16::MAX, u32::MAX)];
        assert_eq!(unpack(&archive.concat()), Err(refused), "{files}");
    }
    // As many as there are, and a directory that is not there.
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    archive.start_file("r.xml", zip::write::SimpleFileOptions::default()).unwrap();
    archive.write_all(b"<feedback/>").unwrap();
    let good = archive.finish().unwrap().into_inner();
    assert_eq!(unpack(&good).unwrap(), b"<feedback/>");
    for cut in 0..good.len() {
        assert!(unpack(&good[..cut]).is_err(), "{cut}");
        let mut other = good.clone();
        other[cut] ^= 0xff;
        // Never beyond it, and never without an end.
        _ = unpack(&other);
    }
}

#[test]
fn a_report_that_is_not_shrunk_in_an_archive_is_read() {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let stored = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    archive.start_file("r.xml", stored).unwrap();
    archive.write_all(report().to_xml().as_bytes()).unwrap();
    archive.set_comment("of a machine").unwrap();
    assert_eq!(read(&unpack(&archive.finish().unwrap().into_inner()).unwrap()).unwrap(), report());
}

#[test]
fn nonsense_is_refused_in_time_and_in_bounds() {
    let start = Instant::now();
    for seed in [b"\x1f\x8b".as_slice(), b"PK\x03\x04", b"<feedback>", b"<feedback><record>&", b"\0\0", b""] {
        let mut nonsense = seed.to_vec();
        let mut state = 1_u32;
        while nonsense.len() < 10 << 20 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            nonsense.extend_from_slice(&state.to_be_bytes());
        }
        assert!(unpack(&nonsense).and_then(|xml| read(&xml)).is_err());
    }
    let deep = "<feedback>".to_owned() + &"<a>".repeat(1 << 20);
    assert_eq!(read(deep.as_bytes()), Err(Unreadable::Xml("it is too deep")));
    let long = format!("<feedback><report_metadata><org_name>{}</org_name>", "đ".repeat(5 << 20));
    assert_eq!(read(long.as_bytes()), Err(Unreadable::Xml("it ends before its end")));
    // More rows than anybody looks at.
    let mut many = report();
    many.rows = vec![many.rows[0].clone(); 12_000];
    assert_eq!(read(many.to_xml().as_bytes()).unwrap().rows.len(), 10_000);
    for cut in (0..report().to_xml().len()).step_by(7) {
        assert!(read(&report().to_xml().as_bytes()[..cut]).is_err(), "{cut}");
    }
    assert!(start.elapsed().as_secs() < 60);
}
