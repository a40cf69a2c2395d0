//! What RFC 5804 shows, and what nobody should send.

use super::*;

const SMALL: Limits = Limits { command_bytes: 200, literal_bytes: 100, swallow_bytes: 1_000 };

/// All events of an input, however it is cut.
fn events(limits: Limits, responses: bool, input: &[u8]) -> Vec<Event> {
    let of = |pieces: &mut dyn Iterator<Item = &[u8]>| {
        let mut decoder = Decoder::new(limits);
        let mut events = Vec::new();
        for piece in pieces {
            decoder.feed(piece);
            loop {
                match decoder.next() {
                    Event::NeedInput => break,
                    event => {
                        if responses && matches!(event, Event::Command(Command::Authenticate { .. })) {
                            decoder.expect_response();
                        }
                        let is_fatal = matches!(event, Event::Fatal(_));
                        events.push(event);
                        if is_fatal {
                            return events;
                        }
                    }
                }
            }
        }
        events
    };
    let whole = of(&mut std::iter::once(input));
    assert_eq!(of(&mut input.chunks(1)), whole, "octet by octet");
    assert_eq!(of(&mut input.split_inclusive(|octet| *octet == b'\n')), whole, "line by line");
    whole
}

fn commands(input: &[u8]) -> Vec<Command> {
    let of = |event| match event {
        Event::Command(command) => command,
        other => panic!("{other:?}"),
    };
    events(Limits::AFTER_LOGIN, false, input).into_iter().map(of).collect()
}

fn refused(input: &[u8]) -> &'static str {
    match events(Limits::AFTER_LOGIN, false, input).as_slice() {
        [Event::Rejected(Reject { text, .. })] => text,
        other => panic!("{:?}: {other:?}", String::from_utf8_lossy(input)),
    }
}

#[test]
fn the_commands_that_the_rfc_shows() {
    let script = b"#comment\r\nInvalidSieveCommand\r\n";
    let input = b"Authenticate \"PLAIN\" \"QJIrweAPyo6Q1T9xu\"\r\nAUTHENTICATE \"GSSAPI\" {4+}\r\nYIIE\r\n\
        CAPABILITY\r\nStartTls\r\nHAVESPACE \"myscript\" 999999\r\nPutscript \"foo\" {31+}\r\n#comment\r\nInvalidSieveCommand\r\n\r\n\
        Listscripts\r\nSetactive \"vacationscript\"\r\nSetactive \"\"\r\nGetscript \"myscript\"\r\nDeletescript \"foo\"\r\n\
        Renamescript \"foo\" \"bar\"\r\nCheckScript {31+}\r\n#comment\r\nInvalidSieveCommand\r\n\r\nNOOP\r\n\
        NOOP \"STARTTLS-SYNC-42\"\r\nLogout\r\n";
    let plain = Some(Response(b"QJIrweAPyo6Q1T9xu".to_vec()));
    let expected = [
        Command::Authenticate { mechanism: "PLAIN".into(), initial: plain },
        Command::Authenticate { mechanism: "GSSAPI".into(), initial: Some(Response(b"YIIE".to_vec())) },
        Command::Capability,
        Command::Starttls,
        Command::HaveSpace { name: "myscript".into(), octets: 999_999 },
        Command::PutScript { name: "foo".into(), script: script.to_vec() },
        Command::ListScripts,
        Command::SetActive("vacationscript".into()),
        Command::SetActive(String::new()),
        Command::GetScript("myscript".into()),
        Command::DeleteScript("foo".into()),
        Command::RenameScript { from: "foo".into(), to: "bar".into() },
        Command::CheckScript(script.to_vec()),
        Command::Noop(None),
        Command::Noop(Some("STARTTLS-SYNC-42".into())),
        Command::Logout,
    ];
    assert_eq!(commands(input), expected);
    let text = String::from_utf8_lossy(input).to_ascii_uppercase();
    assert!(expected.iter().all(|command| text.contains(command.name())));
}

#[test]
fn strings_in_each_form() {
    let name = |text: &str| vec![Command::GetScript(text.to_owned())];
    assert_eq!(commands(b"GETSCRIPT \"a\\\"b\\\\c\"\r\n"), name("a\"b\\c"));
    assert_eq!(commands("GETSCRIPT \"thư rác\"\r\n".as_bytes()), name("thư rác"));
    assert_eq!(commands("GETSCRIPT {9+}\r\nthư rác\r\n".as_bytes()), name("thư rác"));
    // Without the plus it is on its way too, and so is a line without CR.
    assert_eq!(commands(b"GETSCRIPT {3}\r\na\r\n\r\n"), name("a\r\n"));
    assert_eq!(commands(b"  GETSCRIPT \"a\"\n".trim_ascii_start()), name("a"));
    assert_eq!(commands(b"GETSCRIPT   \"a\"  \r\n"), name("a"));
    assert_eq!(commands(b"GETSCRIPT \"{5+}\"\r\n"), name("{5+}"));
    let both = Command::PutScript { name: "{3+}".into(), script: b"NOOP\r\n".to_vec() };
    assert_eq!(commands(b"PUTSCRIPT {4+}\r\n{3+} {6+}\r\nNOOP\r\n\r\nNOOP\r\n"), [both, Command::Noop(None)]);
    assert_eq!(commands(b"CHECKSCRIPT {0+}\r\n\r\n"), [Command::CheckScript(Vec::new())]);
    // Whether a script is UTF-8 is for its compiler to say, with the place.
    assert_eq!(commands(b"CHECKSCRIPT {2+}\r\n\xff\0\r\n"), [Command::CheckScript(b"\xff\0".to_vec())]);
}

#[test]
fn what_is_no_command() {
    for wrong in [
        &b"\r\n"[..],
        b" NOOP\r\n",
        b"FROB\r\n",
        b"UNAUTHENTICATE\r\n",
        b"NOOP x\r\n",
        b"NOOP \"a\" \"b\"\r\n",
        b"CAPABILITY \"a\"\r\n",
        b"GETSCRIPT\r\n",
        b"GETSCRIPT\"a\"\r\n",
        b"GETSCRIPT a\r\n",
        b"GETSCRIPT \"a\r\n",
        b"GETSCRIPT \"a\\\r\n",
        b"GETSCRIPT \"\\a\"\r\n",
        b"GETSCRIPT \"\xff\"\r\n",
        b"GETSCRIPT \"\0\"\r\n",
        b"GETSCRIPT {1+}\r\n\xff\r\n",
        b"GETSCRIPT {1+}\r\nab\r\n",
        b"GETSCRIPT x{1+}\r\na\r\n",
        b"GETSCRIPT \"a{1+}\r\na\"\r\n",
        b"HAVESPACE \"a\"\r\n",
        b"HAVESPACE \"a\" 01\r\n",
        b"HAVESPACE \"a\" -1\r\n",
        b"HAVESPACE \"a\" 4294967296\r\n",
        b"HAVESPACE \"a\"1\r\n",
        b"PUTSCRIPT \"a\"{1+}\r\na\r\n",
        b"\xff\xfe\r\n",
        b"GET / HTTP/1.1\r\n",
    ] {
        refused(wrong);
    }
    // A session goes on behind each.
    let mixed = events(Limits::AFTER_LOGIN, false, b"FROB {6+}\r\nNOOP\r\n x\r\nNOOP\r\n");
    assert!(matches!(&mixed[..], [Event::Rejected(_), Event::Command(Command::Noop(None))]), "{mixed:?}");
}

#[test]
fn answers_to_challenges() {
    let input = b"AUTHENTICATE \"PLAIN\"\r\n\"AGE=\"\r\nAUTHENTICATE \"PLAIN\"\r\n{0+}\r\n\r\n\
        AUTHENTICATE \"PLAIN\"\r\n\"*\"\r\nAUTHENTICATE \"PLAIN\"\r\nNOOP\r\nNOOP\r\n";
    let events = events(Limits::BEFORE_LOGIN, true, input);
    let answers: Vec<&[u8]> = events
        .iter()
        .filter_map(|event| match event {
            Event::Response(Response(response)) => Some(response.as_slice()),
            _ => None,
        })
        .collect();
    assert_eq!(answers, [b"AGE=".as_slice(), b"", b"*"]);
    // What is none ends the exchange, and what follows is a command again.
    assert!(
        matches!(&events[6..], [_, Event::Rejected(_), Event::Command(Command::Noop(None))]),
        "{events:?}"
    );
    assert!(!format!("{events:?}").contains("AGE"));
}

#[test]
fn a_script_that_is_too_large_is_told_and_passed_over() {
    let too_large =
        |event: &Event| matches!(event, Event::Rejected(Reject { code: Some(Code::MaxSize), .. }));
    let most = [b"PUTSCRIPT \"a\" {100+}\r\n".as_slice(), &[b'x'; 100], b"\r\n"].concat();
    assert!(matches!(&events(SMALL, false, &most)[..], [Event::Command(Command::PutScript { .. })]));
    for announced in ["{101+}", "{101}"] {
        let script = "NOOP\r\n".repeat(17);
        let input = format!("PUTSCRIPT \"a\" {announced}\r\n{}\r\nNOOP\r\n", &script[..101]);
        let heard = events(SMALL, false, input.as_bytes());
        assert!(too_large(&heard[0]), "{heard:?}");
        assert_eq!(heard[1..], [Event::Command(Command::Noop(None))]);
    }
    // More than we read for nothing.
    let heard = events(SMALL, false, b"PUTSCRIPT \"a\" {1001+}\r\nNOOP\r\n");
    assert!(too_large(&heard[0]) && matches!(heard[1..], [Event::Fatal(_)]), "{heard:?}");
    let heard = events(SMALL, false, b"PUTSCRIPT \"a\" {99999999999999999999999+}\r\nNOOP\r\n");
    assert!(too_large(&heard[0]) && matches!(heard[1..], [Event::Fatal(_)]), "{heard:?}");
    // Two that each would do are too large together.
    let heard = events(
        SMALL,
        false,
        &[b"PUTSCRIPT {100+}\r\n".as_slice(), &[b'x'; 100], b" {90+}\r\n", &[b'y'; 90], b"\r\nNOOP\r\n"]
            .concat(),
    );
    assert!(too_large(&heard[0]) && heard[1..] == [Event::Command(Command::Noop(None))], "{heard:?}");
}

#[test]
fn lines_without_end() {
    let long = [b"NOOP \"".as_slice(), &[b'x'; 300], b"\"\r\nNOOP\r\n"].concat();
    let heard = events(SMALL, false, &long);
    assert!(matches!(&heard[..], [Event::Rejected(_), Event::Command(Command::Noop(None))]), "{heard:?}");
    let endless = vec![b'x'; 2_000];
    let heard = events(SMALL, false, &endless);
    assert!(matches!(&heard[..], [Event::Rejected(_), Event::Fatal(_)]), "{heard:?}");
    // A literal behind a line that is too long is passed over with it.
    let hidden = [b"NOOP \"".as_slice(), &[b'x'; 300], b"\" {6+}\r\nNOOP\r\n\r\nLOGOUT\r\n"].concat();
    let heard = events(SMALL, false, &hidden);
    assert!(matches!(&heard[..], [Event::Rejected(_), Event::Command(Command::Logout)]), "{heard:?}");
}

#[test]
fn nothing_of_the_plain_text_is_left_for_tls() {
    let mut decoder = Decoder::new(Limits::BEFORE_LOGIN);
    decoder.feed(b"STARTTLS\r\nAUTHENTICATE \"PLAIN\"");
    assert_eq!(decoder.next(), Event::Command(Command::Starttls));
    assert_eq!(decoder.discard_pending(), 20);
    assert_eq!(decoder.next(), Event::NeedInput);
}

#[test]
fn answers() {
    let mut writer = Writer::new();
    writer.capability("STARTTLS", None);
    writer.capability("VERSION", Some("1.0"));
    writer.listed("clever\"script", false);
    writer.listed("thư\nrác", true);
    writer.script("keep;\r\n");
    writer.challenge(b"Username:");
    writer.challenge(b"");
    writer.status(Status::Ok, Some(&Code::Tag("SYNC \\ 42".into())), "Done");
    writer.status(Status::No, Some(&Code::MaxScripts), "Dòng 1\r\nline 1");
    writer.status(Status::Bye, None, "");
    let expected = "\"STARTTLS\"\r\n\"VERSION\" \"1.0\"\r\n\"clever\\\"script\"\r\n{9}\r\nthư\nrác ACTIVE\r\n\
        {7}\r\nkeep;\r\n\r\n\"VXNlcm5hbWU6\"\r\n\"\"\r\nOK (TAG \"SYNC \\\\ 42\") \"Done\"\r\n\
        NO (QUOTA/MAXSCRIPTS) {15}\r\nDòng 1\r\nline 1\r\nBYE\r\n";
    assert_eq!(String::from_utf8(writer.take()).unwrap(), expected);
    assert!(writer.is_empty());
    // What is a string for us is one for the decoder.
    for text in ["", "a", "\"\\", "thư", "a\r\nb", "{5+}", "\0", &"x".repeat(1_025)] {
        writer.listed(text, false);
        let input = [b"GETSCRIPT ".as_slice(), &writer.take()].concat();
        assert_eq!(commands(&input), [Command::GetScript(text.to_owned())]);
    }
}
