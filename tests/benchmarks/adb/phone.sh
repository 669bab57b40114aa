#!/bin/sh
# Becomes a phone: an adbd in a root file system of its own, with Android's paths and commands.
# To be started in mount and process namespaces of its own, as root of them.
#
#   phone.sh PORT ADB_FOLDER STATE_FOLDER STORAGE_KB
#
# STATE_FOLDER holds what the phone says of itself, and may be changed while it runs; the phone's
# /data/local/tmp lies in it as well, or is a disk of STORAGE_KB if that is not 0.
set -eu
port=$1 adb=$(readlink -f "$2") state=$(readlink -f "$3") storage=$4
here=$(dirname "$(readlink -f "$0")")
root=/mnt
mount --make-rprivate /
mount -t tmpfs -o size=8m phone "$root"
cd "$root"
mkdir -p usr proc dev tmp adb state system data/local/tmp sys/devices/system/cpu root/.android
for name in bin sbin lib lib32 lib64; do
  if [ -L "/$name" ]; then cp -P "/$name" "$name"; elif [ -d "/$name" ]; then mkdir "$name" && mount --rbind "/$name" "$name"; fi
done
mount --rbind /usr usr
for name in null zero urandom; do : >"dev/$name" && mount --bind "/dev/$name" "dev/$name"; done
mount -t proc proc proc
mount --rbind "$adb" adb
mount --rbind "$state" state
mount --bind "$here/system" system
mkdir -p state/tmp
if [ "$storage" = 0 ]; then
  mount --bind state/tmp data/local/tmp
else
  mount -t tmpfs -o size="${storage}k" data data/local/tmp
fi
for core in 0 1; do
  mkdir -p "sys/devices/system/cpu/cpu$core/cpufreq"
  echo $((1800000 + core * 1000000)) >"sys/devices/system/cpu/cpu$core/cpufreq/scaling_cur_freq"
done
exec chroot "$root" /usr/bin/env -i PATH=/system/bin:/usr/bin:/bin:/usr/sbin HOME=/root ADBD_PORT="$port" \
  ADB_EXTERNAL_STORAGE=/tmp TMPDIR=/tmp /adb/bin/adbd
