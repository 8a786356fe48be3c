# Everything down, everything run, everything up. $BENCH_KEYS lists the keys.
export S3_ENDPOINT_URL="$AWS_ENDPOINT_URL"
set -e
cd "$BENCH_FOLDER"
mkdir in
sed "s|.*|cp s3://$BENCH_IN/& in/|" "../$BENCH_KEYS" >down
s5cmd --log error run down
cd in
sed 's|.*/||' "../../$BENCH_KEYS" | xargs -P "$BENCH_SLOTS" -n 1 "$BENCH_PROGRAM" >../outputs
sed "s|.*|cp in/& s3://$BENCH_OUT/results/|" ../outputs >../up
cd .. && exec s5cmd --log error run up
