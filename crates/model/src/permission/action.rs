//! Every action there is, in one table: its name, its label, what it is done to, whether it changes anything, and which
//! role may do it.
//!
//! Invariant: an action that is not in the table cannot be asked for. Over what a role may do it is its grant's scope.

use super::{Right, Role};

/// What an action is done to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    System,
    Domain,
    Unit,
    Mailbox,
}

impl Level {
    pub const ALL: [Self; 4] = [Self::System, Self::Domain, Self::Unit, Self::Mailbox];
}

/// A set of levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Levels(u8);

impl Levels {
    #[must_use]
    pub const fn contains(self, level: Level) -> bool {
        let bit = match level {
            Level::System => 1,
            Level::Domain => 2,
            Level::Unit => 4,
            Level::Mailbox => 8,
        };
        self.0 & bit != 0
    }
}

const S: Levels = Levels(1);
const D: Levels = Levels(2);
const U: Levels = Levels(4);
const M: Levels = Levels(8);
const SD: Levels = Levels(1 | 2);
const DU: Levels = Levels(2 | 4);
const UM: Levels = Levels(4 | 8);
const DM: Levels = Levels(2 | 8);
const SDM: Levels = Levels(1 | 2 | 8);
const DUM: Levels = Levels(2 | 4 | 8);

/// What the table says of a role and an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell {
    No,
    /// Over everything in the grant's scope.
    Yes,
    /// For a delegate who has this right.
    With(Right),
}

/// What an action does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effect {
    Reads,
    Changes,
    /// As those who use a mailbox do; not while it is locked.
    ReadsMail,
    ChangesMail,
}

macro_rules! cell {
    (-) => {
        Cell::No
    };
    (Y) => {
        Cell::Yes
    };
    ($right:ident) => {
        Cell::With(Right::$right)
    };
}

macro_rules! actions {
    ($(
        $(#[$doc:meta])*
        $variant:ident $name:literal $label:literal $levels:ident $effect:ident [$($cell:tt)*];
    )*) => {
        /// Something that is done in the system, by whichever door.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Action { $( $(#[$doc])* $variant, )* }

        impl Action {
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// `noun.verb`, as the audit trail and the command line name it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// For people to read.
            #[must_use]
            pub const fn label(self) -> &'static str {
                match self { $(Self::$variant => $label),* }
            }

            /// What it can be done to.
            #[must_use]
            pub const fn levels(self) -> Levels {
                match self { $(Self::$variant => $levels),* }
            }

            const fn effect(self) -> Effect {
                match self { $(Self::$variant => Effect::$effect),* }
            }

            const fn cells(self) -> [Cell; Role::ALL.len()] {
                match self { $(Self::$variant => [$(cell!($cell)),*]),* }
            }
        }
    };
}

impl Action {
    /// What the table says of this role.
    #[must_use]
    pub const fn cell(self, role: Role) -> Cell {
        let [system, centre, officer, inspector, helpdesk, owner, delegate] = self.cells();
        match role {
            Role::SystemAdministrator => system,
            Role::CentreOperator => centre,
            Role::OrganisationOfficer => officer,
            Role::Inspector => inspector,
            Role::Helpdesk => helpdesk,
            Role::MailboxOwner => owner,
            Role::Delegate => delegate,
        }
    }

    /// Does it leave everything as it was?
    #[must_use]
    pub const fn only_reads(self) -> bool {
        matches!(self.effect(), Effect::Reads | Effect::ReadsMail)
    }

    /// Is it the use of a mailbox, which ends while that is locked (AG Đ2.7)?
    #[must_use]
    pub const fn uses_mailbox(self) -> bool {
        matches!(self.effect(), Effect::ReadsMail | Effect::ChangesMail)
    }

    /// Does it say what comes into a mailbox, which its reader does only while it is in use, and an administrator at any time?
    #[must_use]
    pub const fn decides_on_incoming(self) -> bool {
        matches!(self, Self::QuarantineRelease | Self::QuarantineDelete | Self::SendersChange)
    }

    /// Could whoever does it get into the mailbox by it, or keep its owner out? Not done to those whose role an actor does
    /// not have himself ([`Role::may_take_over`]).
    #[must_use]
    pub const fn takes_over(self) -> bool {
        matches!(
            self,
            Self::PasswordReset
                | Self::SecondFactorReset
                | Self::MailboxLock
                | Self::MailboxUnlock
                | Self::MailboxRevoke
                | Self::MailboxDelete
                | Self::SessionEnd
                | Self::DelegateGrant
                | Self::HandoverStart
                | Self::HandoverComplete
                | Self::MailboxExport
        )
    }

    /// Does it take a second person's approval (D3, E2)? What a hold protects is not let go by one alone either.
    #[must_use]
    pub const fn needs_second_person(self) -> bool {
        matches!(
            self,
            Self::ContentRemove
                | Self::InspectionOpen
                | Self::InspectionExport
                | Self::HoldRelease
                | Self::QueueRedirect
        )
    }
}

impl std::str::FromStr for Action {
    type Err = crate::UnknownName;
    fn from_str(name: &str) -> Result<Self, crate::UnknownName> {
        Self::ALL.iter().copied().find(|action| action.as_str() == name).ok_or_else(|| crate::UnknownName {
            what: "action",
            name: name.to_owned(),
            expected: "noun.verb, such as mailbox.lock",
        })
    }
}

// Columns: system administrator, centre operator, organisation officer, inspector, helpdesk, mailbox owner, delegate.
actions! {
    // The installation and its domains.
    DomainAdd "domain.add" "Thêm tên miền" S Changes [Y - - - - - -];
    DomainShow "domain.show" "Xem tên miền" D Reads [Y Y - Y Y - -];
    DomainRemove "domain.remove" "Bỏ tên miền" D Changes [Y - - - - - -];
    /// Provinces merge: mailboxes move under a new domain (B9).
    DomainMove "domain.move" "Chuyển hộp thư sang tên miền mới" D Changes [Y - - - - - -];
    PolicyShow "policy.show" "Xem chính sách" DUM Reads [Y Y Y Y Y Y Y];
    PolicyChange "policy.change" "Thay đổi chính sách" D Changes [Y - - - - - -];
    /// The table of public holidays and swapped days (B6).
    CalendarChange "calendar.change" "Sửa bảng ngày nghỉ" SD Changes [Y Y - - - - -];
    ReservedChange "reserved.change" "Sửa danh sách tên dành riêng" D Changes [Y Y - - - - -];
    RoleShow "role.show" "Xem phân quyền" SD Reads [Y Y - Y - - -];
    RoleGrant "role.grant" "Cấp vai trò" SD Changes [Y - - - - - -];
    RoleRevoke "role.revoke" "Thu hồi vai trò" SD Changes [Y - - - - - -];
    /// Cán bộ đầu mối of one organisation (AG Đ10.2b).
    OfficerAppoint "officer.appoint" "Chỉ định cán bộ đầu mối" U Changes [Y Y - - - - -];
    OfficerDismiss "officer.dismiss" "Thôi cán bộ đầu mối" U Changes [Y Y - - - - -];
    JobShow "job.show" "Xem tác vụ" SD Reads [Y Y - - - - -];
    JobRun "job.run" "Chạy tác vụ" SD Changes [Y Y - - - - -];
    JobPause "job.pause" "Tạm ngừng tác vụ" SD Changes [Y - - - - - -];

    // The tree (A2, B9).
    UnitShow "unit.show" "Xem đơn vị" U Reads [Y Y Y Y Y - -];
    UnitList "unit.list" "Liệt kê đơn vị" DU Reads [Y Y Y Y Y - -];
    UnitHistory "unit.history" "Xem lịch sử đơn vị" U Reads [Y Y Y Y - - -];
    UnitAdd "unit.add" "Thêm đơn vị" DU Changes [Y Y - - - - -];
    UnitImport "unit.import" "Nhập danh sách đơn vị" D Changes [Y Y - - - - -];
    UnitRename "unit.rename" "Đổi tên đơn vị" U Changes [Y Y - - - - -];
    UnitRecode "unit.recode" "Đổi mã đơn vị" U Changes [Y Y - - - - -];
    UnitMove "unit.move" "Chuyển đơn vị trực thuộc" U Changes [Y Y - - - - -];
    UnitMerge "unit.merge" "Sáp nhập đơn vị" U Changes [Y Y - - - - -];
    UnitSplit "unit.split" "Chia tách đơn vị" U Changes [Y Y - - - - -];
    UnitDissolve "unit.dissolve" "Giải thể đơn vị" U Changes [Y Y - - - - -];
    ChangePreview "change.preview" "Xem trước thay đổi tổ chức" DU Reads [Y Y - - - - -];
    ChangeUndo "change.undo" "Hoàn tác thay đổi tổ chức" DU Changes [Y Y - - - - -];
    PositionSet "position.set" "Cập nhật chức vụ" UM Changes [Y Y - - - - -];

    // Mailboxes and their life.
    MailboxShow "mailbox.show" "Xem thông tin hộp thư" M Reads [Y Y Y Y Y Y Read];
    MailboxList "mailbox.list" "Liệt kê hộp thư" DU Reads [Y Y Y Y Y - -];
    MailboxCount "mailbox.count" "Đếm hộp thư" DU Reads [Y Y Y Y - - -];
    MailboxAdd "mailbox.add" "Cấp mới hộp thư" DU Changes [Y Y - - - - -];
    MailboxAddMany "mailbox.add-many" "Cấp mới nhiều hộp thư" DU Changes [Y Y - - - - -];
    /// The dry run, which an officer sees before he asks (B1).
    MailboxAddPreview "mailbox.add-preview" "Thử danh sách cấp mới" DU Reads [Y Y Y - - - -];
    MailboxRename "mailbox.rename" "Đổi địa chỉ hộp thư" M Changes [Y Y - - - - -];
    MailboxTransfer "mailbox.transfer" "Chuyển công tác" M Changes [Y Y - - - - -];
    MailboxClass "mailbox.class" "Đổi loại hộp thư" M Changes [Y Y - - - - -];
    /// With who and why (AG Đ9.3a).
    MailboxQuota "mailbox.quota" "Điều chỉnh dung lượng" M Changes [Y Y - - - - -];
    MailboxRecount "mailbox.recount" "Tính lại dung lượng" DM Changes [Y Y - - - - -];
    /// AG Đ8.1.
    MailboxLock "mailbox.lock" "Tạm khóa hộp thư" M Changes [Y Y - - - - -];
    /// Restored on the organisation's request (AG Đ8.2).
    MailboxUnlock "mailbox.unlock" "Khôi phục hộp thư" M Changes [Y Y - - - - -];
    /// Who left (AG Đ7.3c).
    MailboxRevoke "mailbox.revoke" "Thu hồi hộp thư" M Changes [Y Y - - - - -];
    /// An administrator's (AG Đ8.3, B7), as in the table of the life cycle.
    MailboxDelete "mailbox.delete" "Xác nhận xóa hộp thư" M Changes [Y - - - - - -];
    /// Before a deletion (B7): the whole of the mail, so it is for whoever may delete it.
    MailboxExport "mailbox.export" "Kết xuất lưu trữ trước khi xóa" M Changes [Y - - - - - -];
    /// From a backup (E10).
    MailboxRecover "mailbox.recover" "Phục hồi từ bản sao lưu" M Changes [Y - - - - - -];
    AliasAdd "alias.add" "Thêm địa chỉ phụ" M Changes [Y Y - - - - -];
    AliasRemove "alias.remove" "Bỏ địa chỉ phụ" M Changes [Y Y - - - - -];
    HoldPlace "hold.place" "Lưu giữ theo yêu cầu pháp luật" M Changes [Y - - - - - -];
    HoldRelease "hold.release" "Thôi lưu giữ theo yêu cầu pháp luật" M Changes [Y - - - - - -];
    ActivityShow "activity.show" "Xem tình hình sử dụng" DUM Reads [Y Y Y Y Y Y -];
    /// Thông báo lý do (AG Đ8.1a).
    NoticeRecord "notice.record" "Ghi thông báo lý do không sử dụng" M Changes [Y Y Y - Y Y -];
    /// Lost or exposed (B11).
    PasswordReset "password.reset" "Cấp lại mật khẩu" M Changes [Y Y - - Y - -];
    PasswordChange "password.change" "Đổi mật khẩu" M Changes [- - - - - Y -];
    SecondFactorEnrol "second-factor.enrol" "Đăng ký xác thực hai lớp" M ChangesMail [- - - - - Y -];
    SecondFactorReset "second-factor.reset" "Xóa xác thực hai lớp" M Changes [Y Y - - - - -];
    SessionShow "session.show" "Xem phiên đăng nhập" M Reads [Y Y - Y Y Y -];
    SessionEnd "session.end" "Kết thúc phiên đăng nhập" M Changes [Y Y - - Y Y -];

    // Requests (đề nghị, B1), cases (E6), reviews (B13).
    RequestCreate "request.create" "Lập đề nghị" UM Changes [Y Y Y - Y Y -];
    RequestShow "request.show" "Xem đề nghị" DUM Reads [Y Y Y Y Y Y -];
    RequestAttach "request.attach" "Đính kèm văn bản vào đề nghị" UM Changes [Y Y Y - Y Y -];
    RequestWithdraw "request.withdraw" "Rút đề nghị" UM Changes [Y Y Y - - Y -];
    RequestAssign "request.assign" "Phân công xử lý đề nghị" DUM Changes [Y Y - - - - -];
    RequestDecide "request.decide" "Quyết định đề nghị" DUM Changes [Y Y - - - - -];
    /// Phòng Văn hóa Thông tin and the like (AG Đ7.3).
    RequestWatch "request.watch" "Theo dõi đề nghị" U Changes [Y Y Y - - - -];
    CaseOpen "case.open" "Báo sự cố, yêu cầu hỗ trợ" UM Changes [Y Y Y - Y Y Read];
    CaseShow "case.show" "Xem yêu cầu hỗ trợ" DUM Reads [Y Y Y Y Y Y -];
    CaseAssign "case.assign" "Phân công xử lý yêu cầu hỗ trợ" DUM Changes [Y Y - - Y - -];
    CaseAnswer "case.answer" "Trả lời yêu cầu hỗ trợ" DUM Changes [Y Y - - Y - -];
    CaseClose "case.close" "Kết thúc yêu cầu hỗ trợ" DUM Changes [Y Y - - Y Y -];
    ReviewShow "review.show" "Xem kỳ rà soát hộp thư" DU Reads [Y Y Y Y - - -];
    ReviewConfirm "review.confirm" "Xác nhận danh sách hộp thư" U Changes [Y Y Y - - - -];

    // Delegation and handover (B10).
    DelegateShow "delegate.show" "Xem ủy quyền" M Reads [Y Y Y Y Y Y Manage];
    DelegateGrant "delegate.grant" "Ủy quyền sử dụng hộp thư" M Changes [Y Y - - - Y Manage];
    DelegateRevoke "delegate.revoke" "Thôi ủy quyền" M Changes [Y Y - - - Y Manage];
    HandoverStart "handover.start" "Bắt đầu bàn giao" M Changes [Y Y - - - Y Manage];
    HandoverComplete "handover.complete" "Hoàn thành bàn giao" M Changes [Y Y - - - Y -];
    HandoverCancel "handover.cancel" "Hủy bàn giao" M Changes [Y Y - - - Y -];
    /// Biên bản bàn giao.
    HandoverRecord "handover.record" "Xem biên bản bàn giao" M Reads [Y Y Y Y - Y Manage];
    /// Who did what in a shared mailbox.
    MailboxActs "mailbox.acts" "Xem ai đã làm gì trong hộp thư đơn vị" M Reads [- - - Y - Y Manage];

    // The handling of mail in organisation mailboxes (C5).
    HandlingShow "handling.show" "Xem tình trạng xử lý thư" M ReadsMail [- - - - - Y Read];
    HandlingReport "handling.report" "Báo cáo thủ trưởng" M ChangesMail [- - - - - Y Write];
    HandlingAssign "handling.assign" "Phân công xử lý thư" M ChangesMail [- - - - - Y Manage];
    HandlingAnswer "handling.answer" "Ghi nhận đã trả lời thư" M ChangesMail [- - - - - Y Write];
    HandlingClose "handling.close" "Kết thúc xử lý thư" M ChangesMail [- - - - - Y Write];
    HandlingOverdue "handling.overdue" "Thống kê thư quá hạn xử lý" DUM Reads [Y Y Y Y - Y Read];

    // Directory and groups (C1–C3).
    DirectorySearch "directory.search" "Tra cứu danh bạ" DUM Reads [Y Y Y Y Y Y Read];
    DirectoryChange "directory.change" "Cập nhật danh bạ" UM Changes [Y Y - - - - -];
    DirectoryPublish "directory.publish" "Công khai danh bạ" D Changes [Y Y - - - - -];
    GroupShow "group.show" "Xem nhóm" DU Reads [Y Y Y Y Y - -];
    GroupAdd "group.add" "Lập nhóm" DU Changes [Y Y - - - - -];
    GroupChange "group.change" "Sửa nhóm" DU Changes [Y Y - - - - -];
    GroupRemove "group.remove" "Bỏ nhóm" DU Changes [Y Y - - - - -];
    GroupApprove "group.approve" "Duyệt thư gửi nhóm lớn" DU Changes [Y Y Y - - - -];

    // The use of a mailbox. No administrator is in these columns (AG Đ5.5, Đ11.2d).
    MailRead "mail.read" "Đọc thư" M ReadsMail [- - - - - Y Read];
    MailFlag "mail.flag" "Đánh dấu thư" M ChangesMail [- - - - - Y Write];
    MailFile "mail.file" "Lưu, chuyển thư giữa các thư mục" M ChangesMail [- - - - - Y Write];
    MailDelete "mail.delete" "Xóa thư" M ChangesMail [- - - - - Y Write];
    MailSendAs "mail.send-as" "Gửi thư bằng địa chỉ hộp thư" M ChangesMail [- - - - - Y SendAs];
    MailSendOnBehalf "mail.send-on-behalf" "Gửi thư thay mặt" M ChangesMail [- - - - - Y SendOnBehalf];
    /// Rút lại (D3).
    MailRecall "mail.recall" "Rút lại thư đã gửi" M ChangesMail [- - - - - Y SendAs];
    MailExport "mail.export" "Kết xuất thư về máy" M ReadsMail [- - - - - Y Manage];
    FolderChange "folder.change" "Sửa thư mục" M ChangesMail [- - - - - Y Manage];
    RuleChange "rule.change" "Sửa quy tắc lọc thư" M ChangesMail [- - - - - Y Manage];
    /// Those of a unit or a domain, which are followed for all of its mailboxes (D4).
    RuleShow "rule.show" "Xem bộ lọc thư chung" DU Reads [Y Y Y Y - - -];
    RuleSet "rule.set" "Đặt bộ lọc thư chung" DU Changes [Y Y - - - - -];
    /// Within what policy allows (ST Đ9.3).
    ForwardingSet "forwarding.set" "Đặt chuyển thư tự động" M ChangesMail [- - - - - Y Manage];
    /// Whose mail goes where by itself, and what of it policy stops (ST Đ9.3).
    ForwardingList "forwarding.list" "Liệt kê chuyển thư tự động" DU Reads [Y Y Y Y - - -];
    /// To xulythurac@ (ST Đ9.4).
    SpamReport "spam.report" "Báo thư rác, thư nghi ngờ" M ChangesMail [- - - - - Y Read];

    // Content under supervision (D2, D3, D6, E2).
    SenderBlock "sender.block" "Chặn người gửi" D Changes [Y Y - - - - -];
    /// Who wrote, about what, and why it is kept apart; never what he wrote.
    QuarantineShow "quarantine.show" "Xem thư cách ly" DUM Reads [Y Y - Y - Y Read];
    QuarantineRelease "quarantine.release" "Cho qua thư cách ly" DUM Changes [Y Y - - - Y Manage];
    QuarantineDelete "quarantine.delete" "Xóa thư cách ly" DUM Changes [Y Y - - - Y Manage];
    /// Of one mailbox: whose mail is wanted there whatever the filter says, and whose is not.
    SendersList "senders.list" "Xem danh sách người gửi được nhận, bị chặn" M Reads [Y Y - - - Y Read];
    SendersChange "senders.change" "Sửa danh sách người gửi được nhận, bị chặn" M Changes [Y Y - - - Y Manage];
    /// Gỡ bỏ (LC Đ10.7; TN Đ9.6; BD Đ12.7).
    ContentRemove "content.remove" "Gỡ bỏ thư" D Changes [Y Y - - - - -];
    InspectionOpen "inspection.open" "Mở vụ việc kiểm tra" DUM Changes [Y - - - - - -];
    InspectionRead "inspection.read" "Đọc trong phạm vi vụ việc" DUM Reads [- - - Y - - -];
    InspectionExport "inspection.export" "Kết xuất hồ sơ vụ việc" DUM Reads [- - - Y - - -];

    // Evidence and operation (E1, E3, E4, E5, E11, D11).
    TraceShow "trace.show" "Tra cứu thư" DUM Reads [Y Y - Y Y Y Read];
    /// Mail on its way to others: whose senders are in the scope.
    QueueShow "queue.show" "Xem hàng đợi gửi thư" SD Reads [Y Y - - - - -];
    QueueChange "queue.change" "Gửi lại, giữ, hủy thư trong hàng đợi" SDM Changes [Y Y - - - - -];
    /// Whoever it goes to reads it: as with an inspection, it takes two, and neither is an operator (AG Đ5.5).
    QueueRedirect "queue.redirect" "Chuyển thư trong hàng đợi đến địa chỉ khác" SDM Changes [Y - - - - - -];
    EventExport "event.export" "Kết xuất nhật ký hệ thống" SD Reads [Y - - Y - - -];
    AuditShow "audit.show" "Xem nhật ký quản trị" SD Reads [Y - - Y - - -];
    AuditVerify "audit.verify" "Kiểm tra tính toàn vẹn nhật ký quản trị" SD Reads [Y - - Y - - -];
    StatisticsShow "statistics.show" "Xem thống kê tần suất kiểm tra thư" DUM Reads [Y Y Y Y - Y -];
    ReportShow "report.show" "Xem báo cáo" DU Reads [Y Y Y Y - - -];
    ReportSubmit "report.submit" "Gửi báo cáo lên cấp trên" U Changes [Y Y Y - - - -];
    AnnouncePlan "announce.plan" "Thông báo tạm dừng dịch vụ" SD Changes [Y Y - - - - -];
    AnnounceEmergency "announce.emergency" "Thông báo tạm dừng khẩn cấp" SD Changes [Y Y - - - - -];
    AnnounceWithdraw "announce.withdraw" "Rút thông báo" SD Changes [Y Y - - - - -];
    IncidentPublish "incident.publish" "Công bố sự cố" SD Changes [Y Y - - - - -];
}
