//! What an enhanced status code (RFC 3463) means to whoever wrote the message, and what he can do: in a civil servant's words.
//!
//! Invariant: every code has words; those that the table does not name get those of their class. What somebody here decided is told as
//! that, whatever its code: none says so.

use model::queue::{Answer, Status};

/// What is written of a message that an administrator gave up.
pub(crate) const GIVEN_UP: &str = "given up by an administrator";
/// Of one that nobody let go within the time that policy has for it.
pub(crate) const NOT_LET_GO: &str = "it was kept back as spam, and nobody let it go";

/// What happened, what to do, and the same in English.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Words {
    pub(crate) what: &'static str,
    pub(crate) advice: &'static str,
    pub(crate) english: &'static str,
}

const fn words(what: &'static str, advice: &'static str, english: &'static str) -> Words {
    Words { what, advice, english }
}

const CHECK_ADDRESS: &str =
    "Đề nghị kiểm tra lại địa chỉ (có thể gõ nhầm, hoặc người nhận đã đổi địa chỉ) rồi gửi lại.";
const OTHER_CHANNEL: &str = "Đề nghị liên hệ người nhận bằng cách khác để thông báo, và gửi lại sau.";
const ASK_SUPPORT: &str = "Đề nghị chuyển thông báo này cho bộ phận hỗ trợ để được xử lý.";
const NOTHING: &str = "Ông (Bà) không cần làm gì thêm.";

/// Subject and detail, whatever the class.
const TABLE: &[((u16, u16), Words)] = &[
    ((1, 1), words("Địa chỉ người nhận không tồn tại.", CHECK_ADDRESS, "There is no such mailbox.")),
    (
        (1, 2),
        words(
            "Tên miền của người nhận không tồn tại.",
            CHECK_ADDRESS,
            "The recipient's domain does not exist.",
        ),
    ),
    ((1, 3), words("Địa chỉ người nhận viết không đúng.", CHECK_ADDRESS, "The address is not well formed.")),
    ((1, 4), words("Địa chỉ người nhận không rõ là của ai.", CHECK_ADDRESS, "The address is ambiguous.")),
    (
        (1, 6),
        words(
            "Người nhận đã chuyển đi, không có địa chỉ mới.",
            CHECK_ADDRESS,
            "The mailbox has moved, and left no forwarding address.",
        ),
    ),
    (
        (1, 8),
        words(
            "Hệ thống của người nhận không chấp nhận địa chỉ người gửi.",
            ASK_SUPPORT,
            "The other system refuses the sender's address.",
        ),
    ),
    (
        (1, 10),
        words(
            "Tên miền của người nhận không nhận thư.",
            CHECK_ADDRESS,
            "The recipient's domain accepts no mail.",
        ),
    ),
    (
        (2, 1),
        words(
            "Hộp thư của người nhận đã ngừng hoạt động.",
            OTHER_CHANNEL,
            "The mailbox does not receive mail.",
        ),
    ),
    ((2, 2), words("Hộp thư của người nhận đã đầy.", OTHER_CHANNEL, "The recipient's mailbox is full.")),
    (
        (2, 3),
        words(
            "Thư lớn hơn mức người nhận được nhận.",
            "Đề nghị giảm dung lượng tệp đính kèm rồi gửi lại.",
            "The message is larger than the recipient may receive.",
        ),
    ),
    (
        (2, 4),
        words(
            "Địa chỉ này chuyển thư tự động đến nơi khác, nhưng không chuyển được.",
            OTHER_CHANNEL,
            "The address passes its mail on by itself, and could not.",
        ),
    ),
    (
        (3, 4),
        words(
            "Thư lớn hơn mức hệ thống của người nhận cho phép.",
            "Đề nghị giảm dung lượng tệp đính kèm rồi gửi lại.",
            "The message is too large for the other system.",
        ),
    ),
    (
        (4, 1),
        words(
            "Không kết nối được với hệ thống của người nhận.",
            OTHER_CHANNEL,
            "The other system could not be reached.",
        ),
    ),
    (
        (4, 3),
        words(
            "Không tra cứu được tên miền của người nhận.",
            OTHER_CHANNEL,
            "The recipient's domain could not be looked up.",
        ),
    ),
    (
        (4, 4),
        words(
            "Không tìm thấy máy chủ thư của tên miền người nhận.",
            CHECK_ADDRESS,
            "No mail server was found for the recipient's domain.",
        ),
    ),
    (
        (4, 6),
        words("Thư bị chuyển vòng giữa các hệ thống.", ASK_SUPPORT, "The message goes round in circles."),
    ),
    (
        (4, 7),
        words(
            "Đã hết thời gian gửi mà vẫn chưa gửi được.",
            OTHER_CHANNEL,
            "The message could not be delivered in time.",
        ),
    ),
    (
        (6, 7),
        words(
            "Hệ thống của người nhận không hỗ trợ địa chỉ có dấu.",
            "Đề nghị dùng địa chỉ không dấu của người nhận.",
            "The other system does not support internationalized addresses.",
        ),
    ),
    (
        (7, 1),
        words(
            "Hệ thống của người nhận từ chối thư này theo quy định của họ.",
            "Đề nghị liên hệ người nhận bằng cách khác; nếu cần, chuyển thông báo này cho bộ phận hỗ trợ.",
            "The other system refuses the message by its policy.",
        ),
    ),
    (
        (7, 10),
        words(
            "Không thiết lập được kết nối mã hóa theo yêu cầu với hệ thống của người nhận.",
            ASK_SUPPORT,
            "The encryption that the policy requires could not be established.",
        ),
    ),
    (
        (7, 30),
        words(
            "Hệ thống của người nhận không hỗ trợ mã hóa bắt buộc của thư này.",
            ASK_SUPPORT,
            "The other system does not support REQUIRETLS.",
        ),
    ),
];

const DONE: Words = words("Đã chuyển được thư.", NOTHING, "The message was delivered.");
const NOT_YET: Words = words(
    "Hệ thống của người nhận tạm thời chưa nhận thư.",
    NOTHING,
    "The other system does not take the message for now.",
);
const NO: Words = words(
    "Hệ thống của người nhận từ chối thư này.",
    "Đề nghị đọc lý do kèm theo, kiểm tra lại địa chỉ và nội dung; nếu cần, chuyển thông báo này cho bộ phận hỗ trợ.",
    "The other system refuses the message.",
);

const STOPPED: Words = words(
    "Quản trị hệ thống đã dừng gửi thư này.",
    "Đề nghị liên hệ bộ phận hỗ trợ để biết lý do trước khi gửi lại.",
    "An administrator has stopped this message.",
);
const KEPT_BACK: Words = words(
    "Thư bị giữ lại do nghi là thư rác, và hết thời hạn mà không được cho gửi đi.",
    "Nếu thư cần cho công việc, đề nghị liên hệ bộ phận hỗ trợ trước khi gửi lại.",
    "The message was kept back as spam, and nobody let it go in time.",
);

pub(crate) fn explain(answer: &Answer) -> Words {
    // Nobody else decides so by saying the same words.
    match (&answer.host, answer.text.as_str()) {
        (None, GIVEN_UP) => STOPPED,
        (None, NOT_LET_GO) => KEPT_BACK,
        _ => of_code(answer.status),
    }
}

fn of_code(status: Status) -> Words {
    if status.0 == 2 {
        return DONE;
    }
    let named = TABLE.iter().find(|(code, _)| *code == (status.1, status.2)).map(|(_, words)| *words);
    named.unwrap_or(if status.0 == 4 { NOT_YET } else { NO })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_words_and_none_two() {
        assert_eq!(of_code(Status(5, 1, 1)).english, "There is no such mailbox.");
        assert_eq!(of_code(Status(4, 4, 1)), of_code(Status(5, 4, 1)));
        assert_eq!(of_code(Status(5, 0, 0)), NO);
        assert_eq!(of_code(Status(4, 99, 99)), NOT_YET);
        assert_eq!(of_code(Status(2, 1, 5)), DONE);
        for (at, (code, _)) in TABLE.iter().enumerate() {
            assert!(TABLE[..at].iter().all(|(other, _)| other != code), "{code:?}");
        }
    }

    #[test]
    fn what_somebody_here_decided_is_told_as_that() {
        let late = Status(5, 4, 7);
        assert_eq!(explain(&Answer::ours(late, GIVEN_UP)), STOPPED);
        assert_eq!(explain(&Answer::ours(late, NOT_LET_GO)), KEPT_BACK);
        assert_eq!(explain(&Answer::theirs("mx.a.vn", 550, Some(late), GIVEN_UP)), of_code(late));
    }
}
