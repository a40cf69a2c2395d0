require ["fileinto", "variables", "imap4flags", "envelope", "subaddress", "body"];

set "nguoi_gui" "";
if address :matches "from" "*@*"
{
  set :lower "nguoi_gui" "${1}";
}

# rule:[Văn phòng UBND]
if anyof (address :is "from" "vanphong@ubnd.tinh.test", address :domain :is "from" "ubnd.tinh.test")
{
  fileinto "Cơ quan/UBND";
  stop;
}
# rule:[Hội đồng nhân dân]
if address :domain :is "from" ["hdnd.tinh.test", "doandbqh.tinh.test"]
{
  fileinto "Cơ quan/HĐND";
  stop;
}
# rule:[Sở Nội vụ]
if address :matches "from" "*@snv.tinh.test"
{
  fileinto "Cơ quan/Nội vụ";
  stop;
}
# rule:[Sở Tài chính]
if anyof (address :matches :domain "from" "*.stc.tinh.test", header :contains "subject" ["quyết toán", "dự toán"])
{
  fileinto "Cơ quan/Tài chính";
  stop;
}
# rule:[Sở Y tế]
if allof (address :domain :is "from" "syt.tinh.test", not header :contains "subject" "khẩn")
{
  fileinto "Cơ quan/Y tế";
  stop;
}
# rule:[Giấy mời]
if header :contains "subject" ["giấy mời", "mời họp", "thư mời"]
{
  addflag "\\Flagged";
  fileinto "Họp";
  stop;
}
# rule:[Hỏa tốc]
if anyof (header :contains "subject" ["hỏa tốc", "thượng khẩn"], header :is "x-priority" ["1", "1 (Highest)"], header :is "importance" "high")
{
  addflag "\\Flagged";
  fileinto "Khẩn";
  stop;
}
# rule:[Công văn có số]
if header :matches "subject" "*Công văn*số*/CV-*"
{
  fileinto "Công văn/${3}";
  stop;
}
# rule:[Tờ trình]
if header :matches "subject" ["Tờ trình *", "* tờ trình số *"]
{
  fileinto "Tờ trình";
  stop;
}
# rule:[Báo cáo tuần]
if header :matches "subject" "Báo cáo tuần * tháng *"
{
  fileinto "Báo cáo/${2}";
  stop;
}
# rule:[Danh sách cán bộ]
if header :contains "list-id" "canbo.lists.tinh.test"
{
  fileinto "Danh sách/Cán bộ";
  stop;
}
# rule:[Danh sách tin học]
if anyof (header :contains "list-id" "tinhoc.lists.tinh.test", address :is ["to", "cc"] "tinhoc@lists.tinh.test")
{
  fileinto "Danh sách/Tin học";
  stop;
}
# rule:[Công đoàn]
if address :is ["to", "cc"] ["congdoan@tinh.test", "congdoan-tb@tinh.test"]
{
  fileinto "Công đoàn";
  stop;
}
# rule:[Đoàn thanh niên]
if anyof (address :contains "from" "doantn", header :contains "subject" "đoàn viên")
{
  fileinto "Đoàn";
  stop;
}
# rule:[Đảng ủy]
if address :localpart :is "from" ["danguy", "chibo1", "chibo2", "chibo3"]
{
  fileinto "Đảng ủy";
  stop;
}
# rule:[Chi tiết địa chỉ]
if envelope :detail :is "to" ["dangky", "baomat"]
{
  fileinto "Đăng ký";
  stop;
}
# rule:[Hệ thống giám sát]
if allof (header :contains "x-mailer" "zabbix", header :matches "subject" "[*] *")
{
  fileinto "Hệ thống/Giám sát";
  stop;
}
# rule:[Sao lưu]
if allof (address :is "from" "backup@ha-tang.tinh.test", header :contains "subject" ["OK", "FAILED"])
{
  fileinto "Hệ thống/Sao lưu";
  stop;
}
# rule:[Cron]
if header :matches "subject" "Cron <*@*> *"
{
  fileinto "Hệ thống/${2}";
  stop;
}
# rule:[Quảng cáo]
if anyof (exists "list-unsubscribe", header :is "precedence" ["bulk", "junk"])
{
  fileinto "Quảng cáo";
  stop;
}
# rule:[Thư rác]
if header :contains "x-spam-flag" "yes"
{
  fileinto "Thư rác";
  stop;
}
# rule:[Tuyển dụng]
if header :contains ["subject", "x-topic"] ["tuyển dụng", "hồ sơ ứng viên", "phỏng vấn"]
{
  fileinto "Nhân sự/Tuyển dụng";
  stop;
}
# rule:[Lương]
if allof (address :domain :is "from" "kbnn.tinh.test", header :contains "subject" "lương")
{
  addflag "\\Seen";
  fileinto "Nhân sự/Lương";
  stop;
}
# rule:[Nghỉ phép]
if header :contains "subject" ["nghỉ phép", "xin nghỉ", "đơn xin"]
{
  fileinto "Nhân sự/Nghỉ phép";
  stop;
}
# rule:[Đấu thầu]
if anyof (address :domain :is "from" "muasamcong.test", header :contains "subject" ["đấu thầu", "mời thầu"])
{
  fileinto "Đấu thầu";
  stop;
}
# rule:[Tập huấn]
if header :contains "subject" ["tập huấn", "bồi dưỡng", "đào tạo"]
{
  fileinto "Đào tạo";
  stop;
}
# rule:[Báo chí]
if address :domain :is "from" ["baotinh.test", "truyenhinh.test", "vnexpress.test", "nhandan.test"]
{
  fileinto "Báo chí";
  stop;
}
# rule:[Thư lớn]
if allof (size :over 20M, not address :domain :is "from" "tinh.test")
{
  fileinto "Thư lớn";
  stop;
}
# rule:[Thư cá nhân]
if allof (address :is "to" "binh@tinh.test", address :contains "from" ["gmail.test", "yahoo.test"], not exists "list-id")
{
  fileinto "Cá nhân";
  stop;
}
# rule:[Dự án]
if header :matches "subject" "[DA-*] *"
{
  fileinto "Dự án/${1}";
  stop;
}
