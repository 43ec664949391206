"""Which folders lie on a network share, as systems tell it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from localreg.storage import mounts
from localreg.storage.mounts import Mount, is_on_network, mount_of

MOUNTS = r"""
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
23 22 0:21 / /proc rw,nosuid shared:12 - proc proc rw
40 22 0:40 / /mnt/team rw,relatime shared:2 - nfs4 server:/export/team rw,vers=4.2,addr=10.0.0.1
41 22 0:41 / /mnt/my\040share rw,relatime - cifs //server/my\040share rw,vers=3.1.1
42 40 8:2 /sub /mnt/team/local rw,relatime - xfs /dev/sdb1 rw
43 22 0:43 / /mnt/ssh rw,relatime - fuse.sshfs ana@host: rw
44 22 0:44 / /mnt/usb rw,relatime - fuseblk /dev/sdc1 rw
45 22 0:45 / /mnt/odd rw,relatime - fuse.made-yesterday odd rw
46 44 0:46 / /mnt/usb rw,relatime - 9p host rw
""".lstrip()


@pytest.mark.parametrize(
    ("folder", "kind", "is_network"),
    [
        ("/home/ana", "ext4", False),
        ("/mnt/team", "nfs4", True),
        ("/mnt/team/not/made/yet", "nfs4", True),
        ("/mnt/teams", "ext4", False),
        ("/mnt/team/local/registry", "xfs", False),
        ("/mnt/my share/registry", "cifs", True),
        ("/mnt/ssh/registry", "fuse.sshfs", True),
        ("/mnt/odd", "fuse.made-yesterday", True),
        ("/mnt/usb/registry", "9p", True),
        ("/", "ext4", False),
    ],
)
def test_a_folder_lies_on_the_nearest_and_latest_mount_above_it(folder: str, kind: str, is_network: bool) -> None:
    found = mounts._of_linux(folder, MOUNTS)
    assert found is not None
    assert (found.kind, found.is_network) == (kind, is_network)


def test_blanks_in_mounts_are_read() -> None:
    wanted = Mount("/mnt/my share", "cifs", "//server/my share", True)
    assert mounts._of_linux("/mnt/my share", MOUNTS) == wanted


def test_disks_in_user_space_are_no_network() -> None:
    assert mounts._of_linux("/mnt/usb", MOUNTS.replace("9p", "fuseblk")) == Mount("/mnt/usb", "fuseblk", "host", False)


def test_macos_tells_kind_place_and_source() -> None:
    raw = bytearray(2200)
    raw[64:68] = (0).to_bytes(4, "little")
    for begin, text in ((72, b"smbfs"), (88, b"/Volumes/team"), (1112, b"//ana@server/team")):
        raw[begin : begin + len(text)] = text
    assert mounts._of_statfs(bytes(raw)) == Mount("/Volumes/team", "smbfs", "//ana@server/team", True)
    raw[72:77] = b"apfs\0"
    raw[64:68] = mounts._MNT_LOCAL.to_bytes(4, "little")
    assert not mounts._of_statfs(bytes(raw)).is_network


def test_a_system_that_does_not_tell_is_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    for told in (None, "nonsense\n", "1 2 3\n"):
        monkeypatch.setattr(mounts, "_MOUNTS", tmp_path / "mountinfo")
        if told is not None:
            (tmp_path / "mountinfo").write_text(told)
        assert mount_of(tmp_path) is None
        is_on_network.cache_clear()
        assert not is_on_network(str(tmp_path))
    is_on_network.cache_clear()


@pytest.mark.skipif(not os.path.exists("/proc/self/mountinfo"), reason="about Linux")
def test_links_are_followed_to_where_the_folder_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = tmp_path / "real"
    real.mkdir()
    (tmp_path / "link").symlink_to(real)
    told = tmp_path / "mountinfo"
    told.write_text(f"1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 0:9 / {os.path.realpath(real)} rw - nfs server:/x rw\n")
    monkeypatch.setattr(mounts, "_MOUNTS", told)
    found = mount_of(tmp_path / "link" / "registry")
    assert found is not None
    assert found.kind == "nfs"
