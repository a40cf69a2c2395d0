"""A province from one workbook: 10,000 people, killed in the middle, gone on with.

The workbook is written here, octet by octet as Excel's are: duplicates, foreign and one-word names, decomposed letters and
wrong cells are in it. `CONGTHU_IMPORT_ROWS` makes it larger or smaller; figures are printed.
"""

import csv
import io
import json
import os
import random
import signal
import subprocess
import time
import unicodedata
import unittest
import zipfile
from xml.sax.saxutils import escape

import congthu
import wire

DOMAIN = "nhap.test"
ROWS = int(os.environ.get("CONGTHU_IMPORT_ROWS", "10000"))
UNITS = 40
HEADER = ["STT", "Họ và tên", "Đơn vị", "Chức vụ", "Năm sinh", "Dung lượng (MB)"]
SURNAMES = ["Nguyễn"] * 38 + ["Trần"] * 11 + ["Lê"] * 9 + ["Phạm"] * 7 + ["Huỳnh"] * 5 + ["Phan", "Võ", "Đặng", "Bùi", "Đỗ"] * 2
MIDDLE = ["Văn", "Thị", "Hữu", "Minh", "Quốc", "Thanh", "Thị Kim", "Ngọc", "Hoàng", "Đình"]
GIVEN = ["An", "Bình", "Cường", "Dũng", "Đức", "Hải", "Hương", "Khánh", "Lan", "Long", "Mai", "Nam", "Nga", "Phúc", "Sơn", "Tú", "Yến", "Ý"]


def workbook(rows):
    """An XLSX file of one sheet with inline strings."""
    def cell(column, number, value):
        name = f"{chr(65 + column)}{number}"
        if value is None:
            return ""
        if isinstance(value, int):
            return f'<c r="{name}"><v>{value}</v></c>'
        return f'<c r="{name}" t="inlineStr"><is><t>{escape(value)}</t></is></c>'

    lines = [f'<row r="{n}">{"".join(cell(c, n, v) for c, v in enumerate(row))}</row>' for n, row in enumerate(rows, 1)]
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    relations = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/><Override PartName="/xl/worksheets/sheet1.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" Type="{relations}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{relations}"><sheets><sheet name="Danh sách" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" Type="{relations}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}"><sheetData>{"".join(lines)}</sheetData></worksheet>',
    }
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(name, '<?xml version="1.0" encoding="UTF-8"?>' + text)
    return file.getvalue()


def people(count):
    """Rows below two lines of title and the header; every hundredth is of a special sort."""
    dice = random.Random(2026)
    rows = []
    for number in range(count):
        name = f"{dice.choice(SURNAMES)} {dice.choice(MIDDLE)} {dice.choice(GIVEN)}"
        sort = number % 100
        if sort == 1:
            name = unicodedata.normalize("NFD", name)
        elif sort == 2:
            name = dice.choice(["Pao", "Sang", "Y", "Ka"])
        elif sort == 3:
            name = dice.choice(["John O'Neill", "Marie Müller", "José Álvarez"])
        elif sort == 4:
            name = f"TS. {name} (Bí thư)"
        # A year of birth for each five hundred rows and unit, so that nobody is taken for another.
        rows.append([number + 1, name, f"dv{number % UNITS}", "Chuyên viên" if sort else "Giám đốc", 1950 + number // UNITS // 5 % 60,
                     500 if sort else 1500])  # a leader has 1 GB at least (AG Đ9.3b)
    seen = set()
    for row in rows:
        while (key := (unicodedata.normalize("NFC", row[1]), row[4])) in seen:
            row[1] = row[1].replace(" (", "") + " " + dice.choice(GIVEN)
        seen.add(key)
    return rows


class Import(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = congthu.Congthu()
        cls.server.start()
        cls.server.add_domain(DOMAIN)
        for number in range(UNITS):
            cls.server.must("unit", "add", DOMAIN, "--name", f"Sở Số {number}", "--kind", "so", "--code", f"dv{number}")

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    def write(self, name, rows):
        path = self.server.directory / name
        path.write_bytes(workbook([["DANH SÁCH CẤP HỘP THƯ"], [None, "Sở Nội vụ lập"], HEADER] + rows))
        path.chmod(0o644)
        return path

    def listed(self):
        return json.loads(self.server.must("mailbox", "list", "--domain", DOMAIN, "--json"))

    def test_ten_thousand_killed_in_the_middle(self):
        rows = people(ROWS)
        bad = [row[:] for row in rows]
        bad[10][2], bad[20][4], bad[30][1], bad[40] = "khong-co", "sắp", "李小龍", rows[39][:]
        wrong = self.server.run("mailbox", "add-many", str(self.write("bad.xlsx", bad)), "--domain", DOMAIN, "--json")
        self.assertEqual(wrong.returncode, 1, wrong.stderr)
        for cell in ("row 14, cell C14 (unit)", "row 24, cell E24 (birth year)", "row 34, cell B34 (name)", "row 44, cell B44 (name)"):
            self.assertIn(cell, wrong.stderr)
        self.assertEqual(self.listed(), [], "nothing is made while a row is wrong")

        path = self.write("good.xlsx", rows)
        began = time.monotonic()
        plan = json.loads(self.server.must("mailbox", "add-many", str(path), "--domain", DOMAIN, "--dry-run", "--json"))
        dry = time.monotonic() - began
        planned = {row["row"]: row["address"] for row in plan["rows"]}
        self.assertEqual((len(planned), len(set(planned.values())), plan["failed"]), (ROWS, ROWS, []))

        sheet = self.server.directory / "mat-khau.csv"
        command = [str(congthu.binary()), "--config", str(self.server.config), "mailbox", "add-many", str(path), "--domain", DOMAIN,
                   "--passwords", str(sheet), "--json"]
        began = time.monotonic()
        run = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=self.server.directory)
        while not sheet.exists() or sum(1 for _ in sheet.open(encoding="utf-8-sig")) < ROWS // 3:
            self.assertIsNone(run.poll(), "it ended before it could be killed")
        os.kill(run.pid, signal.SIGKILL)
        run.communicate()
        cut = time.monotonic() - began
        half = self.listed()
        self.assertTrue(0 < len(half) < ROWS, len(half))

        began = time.monotonic()
        done = json.loads(self.server.must(*command[3:]))
        rest = time.monotonic() - began
        self.assertEqual((done["made"] + done["made_before"], done["made_before"]), (ROWS, len(half)))
        after = self.listed()
        self.assertEqual(sorted(mailbox["address"] for mailbox in after), sorted(planned.values()), "as it was said, nobody twice")
        people_known = json.loads(self.server.must("person", "list", DOMAIN, "--json"))
        self.assertEqual((len(people_known), {len(person["addresses"]) for person in people_known}), (ROWS, {1}))
        self.assertEqual(sheet.stat().st_mode & 0o777, 0o600)
        # Later lines hold: the batch that was being made when the run was killed has two.
        told = {row[3]: row[4] for row in list(csv.reader(sheet.open(encoding="utf-8-sig"), delimiter=";"))[1:]}
        self.assertEqual(set(told), set(planned.values()))
        for address in list(planned.values())[:: ROWS // 5]:
            with self.assertRaises(wire.Refused) as refused:  # the right password, which has to be changed first
                self.server.imap(address, told[address])
            self.assertIn("/mat-khau", str(refused.exception))
        print(f"\n{ROWS} rows: dry run {dry:.1f} s; killed after {cut:.1f} s with {len(half)} made; the rest in {rest:.1f} s "
              f"({congthu.binary().parent.name} build)")

    # By its name behind the ten thousand, who are counted: a person remains.
    def test_wrong_list_leaves_no_sheet_and_hides_no_column(self):
        path = self.server.directory / "phong.csv"
        path.write_text("Họ và tên;Phòng;Chức danh;Số CCCD\nLê Văn Phòng;Sở Số 1;Chuyên viên;1\nLê Thị Ban;không có;Văn thư;2\n",
                        encoding="utf-8")
        path.chmod(0o644)
        sheet = self.server.directory / "phong-mat-khau.csv"
        words = ["mailbox", "add-many", str(path), "--domain", DOMAIN]
        column = 'congthu: column D, "Số CCCD", is not understood and was not looked at'
        wrong = self.server.run(*words, "--passwords", str(sheet))
        self.assertEqual(wrong.returncode, 1, wrong.stderr)
        self.assertIn("row 3, cell B3 (unit)", wrong.stderr)
        self.assertIn(column, wrong.stderr)
        # Where only root may take it away it stays, empty, and that is said.
        self.assertEqual(sheet.read_bytes() if sheet.exists() else b"", b"", "no titles alone")
        self.assertEqual(sheet.exists(), f"no password was made; {sheet} is empty and can be deleted" in wrong.stderr)

        dry = self.server.run(*words, "--dry-run")
        self.assertEqual(dry.returncode, 1, dry.stderr)
        self.assertIn("\tLê Văn Phòng\tSở Số 1 (dv1)\tChuyên viên\t", dry.stdout)
        self.assertIn("\n0 mailboxes would be made, as cells are wrong (1 row is right, and would be made with --skip-bad), made before: 0\n",
                      dry.stdout)
        self.assertIn(column, dry.stderr)
        plan = json.loads(self.server.run(*words, "--dry-run", "--json").stdout)
        self.assertEqual((plan["would_add"], plan["good_rows"]), (0, 1))
        self.assertEqual(plan["columns_unused"], [{"column": "D", "title": "Số CCCD"}])
        row = plan["rows"][0]
        self.assertEqual((row["unit"], row["unit_name"], row["position"]), ("dv1", "Sở Số 1", "Chuyên viên"))
        skipping = json.loads(self.server.must(*words, "--dry-run", "--skip-bad", "--json"))
        self.assertEqual(skipping["would_add"], 1)

        done = json.loads(self.server.must(*words, "--skip-bad", "--passwords", str(sheet), "--json"))
        self.assertEqual((done["made"], done["columns_unused"]), (1, plan["columns_unused"]))
        written = sheet.read_text(encoding="utf-8-sig")
        self.assertIn("2;Sở Số 1;Lê Văn Phòng;", written)
        self.server.must(*words, "--skip-bad", "--passwords", str(sheet))
        self.assertEqual(sheet.read_text(encoding="utf-8-sig"), written, "what an earlier run wrote stays")
        self.assertIn("Phòng ban; ", self.server.must("mailbox", "add-many", "--help"))
        self.server.must("mailbox", "delete", row["address"], "--now", "--reason", "thử", "--without-export")


if __name__ == "__main__":
    unittest.main()
