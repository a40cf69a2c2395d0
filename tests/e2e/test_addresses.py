"""The addresses that the five regulations name: each profile's domain is made by the command line, with every unit and person that
its regulation (or the requirements, A3–A12) names, and each gets exactly the address that stands there.

The same rows as `engine::tests::named`, for whoever would rather read and run them here; further names, with the rule that makes
each, stand in `model::naming::tests::table`.
"""

import json
import unittest

import case

# Name, kind, code of the unit above, listed code, what stands before the @.
UNITS = {
    "an-giang": [
        ("Ủy ban nhân dân tỉnh An Giang", "ubnd-tinh", None, None, "ubnd"),
        ("Sở Thông tin và Truyền thông", "so", "ubnd", None, "sotttt"),
        ("Sở Nội vụ", "so", "ubnd", None, "sonoivu"),
        ("Ban Dân tộc", "ban", "ubnd", None, "bandantoc"),
        ("Hội Nông dân tỉnh", "hoi", "ubnd", None, "hoinongdan"),
        ("Ngành Thuế", "nganh", "ubnd", None, "nganhthue"),
        ("UBND huyện Châu Phú", "huyen", "ubnd", None, "chauphu"),
        ("Thị xã Tân Châu", "thi-xa", "ubnd", None, "tanchau"),
        ("Thành phố Long Xuyên", "thanh-pho", "ubnd", None, "longxuyen"),
        ("Phòng Nội vụ huyện Châu Phú", "phong", "chauphu", None, "noivu.chauphu"),
        ("Trung tâm Tin học", "trung-tam", "sotttt", None, "ttth.sotttt"),
        ("Xã Mỹ Đức", "xa", "chauphu", None, "myduc"),
        ("Xã Vĩnh Hòa", "xa", "chauphu", None, "vinhhoa.chauphu"),
        ("Xã Vĩnh Hòa", "xa", "tanchau", None, "vinhhoa.tanchau"),
        ("UBND phường Long Xuyên", "phuong", "ubnd", None, "plongxuyen"),
        ("Xã Châu Phú", "xa", "chauphu", None, "xachauphu"),
        ("Thị trấn Long Xuyên", "thi-tran", "chauphu", None, "ttlongxuyen.chauphu"),
    ],
    "lao-cai": [
        ("Ủy ban nhân dân tỉnh Lào Cai", "ubnd-tinh", None, "ubnd", "contact-ubnd"),
        ("Sở Thông tin và Truyền thông", "so", "ubnd", "stttt", "contact-stttt"),
        ("UBND huyện Bắc Hà", "huyen", "ubnd", "bacha", "contact-bacha"),
        ("Sở Nội vụ", "so", "ubnd", None, "contact-snv"),
    ],
    "thai-nguyen": [
        ("Sở Nội vụ", "so", None, "sonoivu", "sonoivu"),
        ("Sở Thông tin và Truyền thông", "so", None, "sotttt", "sotttt"),
        ("Sở Giáo dục và Đào tạo", "so", None, None, "sgddt"),
    ],
    "soc-trang": [
        ("Sở Thông tin và Truyền thông", "so", None, None, "sotttt"),
        ("Phòng Chuyển đổi số của Sở Thông tin và Truyền thông", "phong", "sotttt", None, "phongcds.sotttt"),
        ("Trung tâm Công nghệ số", "trung-tam", "sotttt", None, "ttcns.sotttt"),
        ("Ủy ban nhân dân Huyện Mỹ Xuyên", "huyen", None, None, "myxuyen"),
        ("Ủy ban nhân dân Xã Thạnh Phú của Huyện Mỹ Xuyên", "xa", "myxuyen", None, "xathanhphu.myxuyen"),
        ("Phòng Văn hóa - Thông tin của Huyện Mỹ Xuyên", "phong", "myxuyen", None, "pvhtt.myxuyen"),
    ],
    "binh-dinh-sct": [
        ("Sở Công Thương", "so", None, "sct", "sct"),
        ("phòng Quản lý Công nghiệp", "phong", "sct", None, "qlcn"),
    ],
}

# Name, code of the unit, what the holder chose, what stands before the @.
PEOPLE = {
    "an-giang": [
        ("Nguyễn Thanh Bình", "sotttt", None, "ntbinh"),
        ("Nguyễn Thanh Bình", "sonoivu", None, "ntbinh02"),
        ("Tôn Nữ Thị Đào", None, None, "tntdao"),
        ("Sang", None, None, "sang"),
    ],
    "lao-cai": [
        ("Nguyễn Thanh Bình", "stttt", None, "ntbinh-stttt"),
        ("Nguyễn Thanh Bình", "stttt", None, "binhnt-stttt"),
        ("Nguyễn Thanh Bình", "stttt", None, "binhngt-stttt"),
        ("Nguyễn Thanh Bình", "stttt", None, "binhngth-stttt"),
        ("Nguyễn Thanh Bình", "snv", None, "ntbinh-snv"),
        ("Pao", "stttt", None, "pao-stttt"),
        ("Pao", "stttt", None, "pao2-stttt"),
    ],
    "thai-nguyen": [
        ("Đặng Thị Đào", None, None, "daodt"),
        ("Đặng Thị Đào", "sotttt", "daodtth", "daodtth"),
        ("Đặng Thị Đào", "sotttt", None, "daodta"),
    ],
    "soc-trang": [
        ("Ông Dương Chí Nguyên", None, None, "dcnguyen"),
        ("Dương Chí Nguyên", None, None, "dcnguyen1"),
        ("Dương Chí Nguyên", None, None, "dcnguyen2"),
    ],
    "binh-dinh-sct": [
        ("Nguyễn Văn Bằng", "qlcn", None, "bangnv"),
        ("Nguyễn Văn Bằng", "qlcn", None, "bangnv2"),
    ],
}


class Addresses(case.Case):
    def grant(self, domain, name, *arguments):
        made = self.server.must("mailbox", "add", "--auto", "--domain", domain, "--name", name, *arguments, "--json")
        return json.loads(made)["address"].removesuffix(f"@{domain}")

    def check(self, profile):
        domain = f"{profile}.dia-chi.test"
        self.server.add_domain(domain, profile)
        codes = []
        for name, kind, parent, code, _ in UNITS[profile]:
            place = ["--parent", parent] if parent else []
            listed = ["--code", code] if code else []
            # Before there were two tiers.
            made = self.server.must("unit", "add", domain, "--name", name, "--kind", kind, "--on", "2016-01-01", "--another-unit", *place, *listed, "--json")
            codes.append(json.loads(made)["code"])
        got = [self.grant(domain, unit[0], "--class", "organisation", "--unit", code) for unit, code in zip(UNITS[profile], codes)]
        self.assertEqual(got, [unit[-1] for unit in UNITS[profile]])
        got = []
        for name, unit, chosen, _ in PEOPLE[profile]:
            place = ["--unit", unit] if unit else []
            got.append(self.grant(domain, name, "--another-person", *place, *(["--choose", chosen] if chosen else [])))
        self.assertEqual(got, [person[-1] for person in PEOPLE[profile]])
        print(f"{profile}: {len(codes)} units and {len(got)} people have the addresses of the regulation", flush=True)

    def test_an_giang(self):
        self.check("an-giang")

    def test_lao_cai(self):
        self.check("lao-cai")

    def test_thai_nguyen(self):
        self.check("thai-nguyen")

    def test_soc_trang(self):
        self.check("soc-trang")

    def test_binh_dinh_sct(self):
        self.check("binh-dinh-sct")


if __name__ == "__main__":
    unittest.main()
