#!/bin/sh
# Fetches Debian trixie's adb and adbd with all their libraries into FOLDER and writes
# FOLDER/bin/adb and FOLDER/bin/adbd, which run on any Linux beside its own libraries.
# Nothing of the system changes: apt works with lists and a cache of its own.
#
#   sh tests/benchmarks/adb/fetch.sh FOLDER
set -eu
[ $# -eq 1 ] || { echo "usage: $0 FOLDER" >&2; exit 2; }
[ ! -x "$1/bin/adbd" ] || exit 0
command -v apt-get >/dev/null && command -v dpkg >/dev/null || { echo "needs apt-get and dpkg of a Debian-like system" >&2; exit 1; }
keys=/usr/share/keyrings/debian-archive-keyring.gpg
[ -r "$keys" ] || { echo "needs $keys (package debian-archive-keyring)" >&2; exit 1; }

mkdir -p "$(dirname "$1")"
work=$(mktemp -d "$1.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/apt/state/lists/partial" "$work/apt/cache/archives/partial" "$work/debs" "$work/whole/root" "$work/whole/bin"
echo "deb [signed-by=$keys] ${DEBIAN_MIRROR:-http://deb.debian.org/debian} trixie main" >"$work/apt/sources.list"
cat >"$work/apt/apt.conf" <<END
Dir::State "$work/apt/state";
Dir::State::status "$work/apt/status";
Dir::Cache "$work/apt/cache";
Dir::Etc::SourceList "$work/apt/sources.list";
Dir::Etc::SourceParts "-";
APT::Update::Error-Mode "any";
Acquire::Languages "none";
Acquire::Retries "1";
Acquire::http::Timeout "10";
APT::Sandbox::User "root";
END
: >"$work/apt/status"
export APT_CONFIG="$work/apt/apt.conf"
apt-get -qq update
cd "$work/debs"
apt-get -qq download adb adbd android-libbase android-libboringssl android-libcutils android-liblog \
  android-libziparchive libbrotli1 libbsd0 libc6 libcap2 libgcc-s1 liblz4-1 libmd0 \
  libprotobuf32t64 libstdc++6 libsystemd0 libudev1 libusb-1.0-0 libxxhash0 libzstd1 zlib1g
for package in *.deb; do dpkg -x "$package" "$work/whole/root"; done

loader=$(cd "$work/whole/root" && ls usr/lib64/ld-linux-*.so.* usr/lib/ld-linux-*.so.* 2>/dev/null | head -n 1)
triplet=$(cd "$work/whole/root/usr/lib" && ls -d *-linux-gnu* | head -n 1)
for program in adb adbd; do
  cat >"$work/whole/bin/$program" <<END
#!/bin/sh
root=\$(dirname "\$(dirname "\$(readlink -f "\$0")")")/root
libraries=\$root/usr/lib/$triplet
exec "\$root/$loader" --library-path "\$libraries:\$libraries/android" \\
  "\$root/usr/lib/android-sdk/platform-tools/$program" "\$@"
END
  chmod 755 "$work/whole/bin/$program"
done
"$work/whole/bin/adb" version >/dev/null
chmod 755 "$work/whole"
mv -T "$work/whole" "$1" 2>/dev/null || [ -x "$1/bin/adbd" ] # another process was first
