"""Camel, by which Evolution speaks IMAP and SMTP: folders, messages, flags, search, MOVE, APPEND, and changes made elsewhere.

Arguments: directory port user password certificate folder round. Round 1 is a first look with an empty cache; round 2 comes
back to what round 1 left in the directory. Runs with the system's own Python, whose bindings they are.
"""

import sys

import gi

gi.require_version("Camel", "1.2")
from gi.repository import Camel, GLib

DIRECTORY, PORT, USER, PASSWORD, CERTIFICATE, FOLDER, ROUND = sys.argv[1:]
UID_MAX = 9  # of the few messages of this journey
SEEN, FLAGGED, DELETED = Camel.MessageFlags.SEEN, Camel.MessageFlags.FLAGGED, Camel.MessageFlags.DELETED


class Session(Camel.Session):
    """What Evolution's own session asks a person, and its keyring, for."""

    def do_authenticate_sync(self, service, mechanism, cancellable):
        service.set_password(PASSWORD)
        return service.authenticate_sync(mechanism, cancellable) == Camel.AuthenticationResult.ACCEPTED

    def do_trust_prompt(self, service, certificate, errors):
        with open(CERTIFICATE) as file:
            known = certificate.props.certificate_pem.strip() == file.read().strip()
        return Camel.CertTrust.FULLY if known else Camel.CertTrust.NEVER


def lists(store):
    """Asks for all folders. The bindings do not lead from one to the next: `has` looks for each."""
    store.get_folder_info_sync(None, Camel.StoreGetFolderInfoFlags.RECURSIVE | Camel.StoreGetFolderInfoFlags.REFRESH, None)


def has(store, name):
    info = store.get_folder_info_sync(name, Camel.StoreGetFolderInfoFlags.FAST, None)
    return info is not None and info.full_name == name


def subjects(folder):
    """{subject: UID}. Camel's own lists of UIDs are not asked for: the bindings free strings that still belong to it."""
    folder.refresh_info_sync(None)
    infos = [folder.get_message_info(str(uid)) for uid in range(1, UID_MAX)]
    return {info.get_subject(): info.get_uid() for info in infos if info}


def first(store):
    lists(store)
    for name in ("INBOX", "Archive", "Drafts", "Sent", "Trash", "Junk", FOLDER):
        assert has(store, name), name
    inbox = store.get_folder_sync("INBOX", 0, None)
    uids = subjects(inbox)
    assert set(uids) == {"Báo cáo", "Giấy mời họp 1", "Giấy mời họp 2"}, uids
    message = inbox.get_message_sync(uids["Giấy mời họp 1"], None)
    assert message.get_subject() == "Giấy mời họp 1"
    inbox.get_message_info(uids["Giấy mời họp 1"]).set_flags(SEEN | FLAGGED, SEEN | FLAGGED)
    inbox.synchronize_sync(False, None)
    assert inbox.count_by_expression('(match-all (body-contains "đồng chí thứ 2"))', None) == 1
    assert inbox.count_by_expression('(match-all (body-contains "đồng chí thứ 7"))', None) == 0
    target = store.get_folder_sync(FOLDER, 0, None)
    inbox.transfer_messages_to_sync([uids["Giấy mời họp 2"]], target, True, None)
    inbox.synchronize_sync(True, None)
    assert set(subjects(target)) == {"Giấy mời họp 2"}
    info = Camel.MessageInfo.new(None)
    info.set_flags(SEEN, SEEN)
    store.get_folder_sync("Sent", 0, None).append_message_sync(message, info, None)
    store.create_folder_sync(None, "Riêng tư 🌾", None)
    store.rename_folder_sync("Riêng tư 🌾", "Riêng tư & Công việc", None)
    assert has(store, "Riêng tư & Công việc")
    store.delete_folder_sync("Riêng tư & Công việc", None)
    assert set(subjects(inbox)) == {"Báo cáo", "Giấy mời họp 1"}


def second(store):
    inbox = store.get_folder_sync("INBOX", 0, None)
    uids = subjects(inbox)
    assert set(uids) == {"Giấy mời họp 1", "Đến sau"}, uids
    flags = inbox.get_message_info(uids["Giấy mời họp 1"]).get_flags()
    assert flags & Camel.MessageFlags.ANSWERED and not flags & FLAGGED, flags
    inbox.get_message_info(uids["Đến sau"]).set_flags(DELETED, DELETED)
    inbox.synchronize_sync(True, None)
    assert set(subjects(inbox)) == {"Giấy mời họp 1"}


def main():
    Camel.init(DIRECTORY, False)
    Camel.provider_init()
    session = Session(user_data_dir=DIRECTORY, user_cache_dir=DIRECTORY + "/cache")
    session.set_online(True)
    store = session.add_service("thu", "imapx", Camel.ProviderType.STORE)
    settings = store.ref_settings()
    for name, value in {"host": "127.0.0.1", "port": int(PORT), "user": USER, "auth-mechanism": "PLAIN", "use-qresync": True,
                        "security-method": Camel.NetworkSecurityMethod.SSL_ON_ALTERNATE_PORT}.items():
        settings.set_property(name, value)
    store.set_online_sync(True, None)
    store.connect_sync(None)
    {"1": first, "2": second}[ROUND](store)
    store.disconnect_sync(True, None)
    version = ".".join(str(getattr(Camel, f"{part}_VERSION", "?")) for part in ("MAJOR", "MINOR", "MICRO"))
    print("camel", version)


try:
    main()
except GLib.Error as error:
    sys.exit(f"{error.domain} {error.code}: {error.message}")
