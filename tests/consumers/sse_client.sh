#!/bin/sh
# An SSE client that knows nothing of the engine but curl.
#
#   sse_client.sh URL TOKEN FILE
#
# follows a stream for ever and appends a line to FILE for each event that came whole: its id, a tab, its data.
url=$1 token=$2 file=$3
touch "$file"
while :; do
    last=$(tail -n 1 "$file" | cut -f 1)
    curl --silent --no-buffer --fail --header "Authorization: Bearer $token" \
        ${last:+--header "Last-Event-ID: $last"} "$url" |
        while IFS= read -r line; do
            case $line in
            "id: "*) id=${line#id: } ;;
            "data: "*) data=${line#data: } ;;
            "")
                [ -z "$id$data" ] || printf '%s\t%s\n' "$id" "$data" >>"$file"
                id='' data=''
                ;;
            esac
        done
    sleep 1
done
