#!/usr/bin/env bash
# The real servers that tests share: MySQL and a one-node Kafka, started once and kept until `down`; and programs that tests start themselves.
#   usage: test-servers.sh up mysql|kafka    start it if it is not up; print KEY=VALUE lines (where it is)
#          test-servers.sh up alertmanager|prometheus    fetch Debian's program the first time; print PROGRAM=its path
#          test-servers.sh down              stop both servers
#   env:   LOGMILL_TEST_HOME (default .local/test of the repository)
#          LOGMILL_TEST_MYSQL_PORT (23306)  LOGMILL_TEST_KAFKA_PORT (29092)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
home=$(realpath -m "${LOGMILL_TEST_HOME:-$here/../../.local/test}")
mysql_port=${LOGMILL_TEST_MYSQL_PORT:-23306}; kafka_port=${LOGMILL_TEST_KAFKA_PORT:-29092}
mkdir -p "$home"

mysql() { MYSQL_PREFIX=$home/mysql MYSQL_PORT=$mysql_port MYSQL_BUFFER_POOL=256M \
  MYSQL_EXTRA_ARGS="--performance-schema=OFF --innodb-flush-log-at-trx-commit=2 --max-connections=500" bash "$here/mysql-local.sh" "$@"; }
kafka() { env -u KAFKA_BROKERS KAFKA_PREFIX="$home/kafka" KAFKA_PORT="$kafka_port" KAFKA_NODES=1 bash "$here/kafka-local.sh" "$@"; }

up() {
  # one starter at a time; the servers must not inherit the lock
  exec 9>"$home/$1.lock"; flock -w 300 9
  case $1 in
    mysql) mysql all 9>&- >&2; echo MYSQL_HOST=127.0.0.1; echo "MYSQL_PORT=$mysql_port" ;;
    alertmanager) echo "PROGRAM=$(bash "$here/debian-program.sh" "$home/alertmanager" prometheus-alertmanager usr/bin/prometheus-alertmanager 9>&-)" ;;
    prometheus) echo "PROGRAM=$(bash "$here/debian-program.sh" "$home/prometheus" prometheus usr/bin/prometheus 9>&-)" ;;
    kafka) kafka start 9>&- >&2; echo "KAFKA_BROKERS=127.0.0.1:$kafka_port" ;;
    *) echo "test-servers.sh: unknown server $1" >&2; return 2 ;;
  esac
}

down() {
  [ ! -d "$home/mysql/run" ] || mysql stop
  [ ! -d "$home/kafka" ] || kafka stop
}

case ${1:-} in
  up) up "${2:-}" ;;
  down) down ;;
  *) sed -n 2,7p "$0"; exit 2 ;;
esac
