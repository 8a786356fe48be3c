# A file at a time: download, run, upload. $BENCH_KEYS lists the keys.
export S3_ENDPOINT_URL="$AWS_ENDPOINT_URL"
exec parallel --will-cite --halt now,fail=1 -j "$((2 * BENCH_SLOTS))" -a "$BENCH_KEYS" '
  mkdir "$BENCH_FOLDER/{#}" && cd "$BENCH_FOLDER/{#}" &&
  s5cmd --log error cp "s3://$BENCH_IN/{}" {/} &&
  "$BENCH_PROGRAM" {/} >name &&
  s5cmd --log error cp "$(cat name)" "s3://$BENCH_OUT/results/" &&
  rm -r "$BENCH_FOLDER/{#}"'
