# Medians of what the guests printed, one table. First file: budgets; second:
# lines of `KERNEL WORD KEY=VALUE...`. With check=1 the exit code is 1 when a
# budget is exceeded or a span is missing.

function median(name,    cnt, i, j, sorted, swap) {
	cnt = seen[name]
	if (!cnt)
		return ""
	for (i = 1; i <= cnt; i++)
		sorted[i] = values[name, i]
	for (i = 2; i <= cnt; i++)
		for (j = i; j > 1 && sorted[j - 1] > sorted[j]; j--) {
			swap = sorted[j]
			sorted[j] = sorted[j - 1]
			sorted[j - 1] = swap
		}
	return cnt % 2 ? sorted[(cnt + 1) / 2] : (sorted[cnt / 2] + sorted[cnt / 2 + 1]) / 2
}

# spread: (largest - smallest) / median, in percent
function spread(name,    cnt, i, low, high) {
	cnt = seen[name]
	low = high = values[name, 1]
	for (i = 2; i <= cnt; i++) {
		if (values[name, i] < low) low = values[name, i]
		if (values[name, i] > high) high = values[name, i]
	}
	return median(name) ? 100 * (high - low) / median(name) : 0
}

function row(text, value, budget, unit) {
	printf "  %-44s %10.0f%s", text, value, unit ? " " unit : ""
	if (budget != "") {
		printf "   (budget %d%s)", budget, value > budget ? ", exceeded" : ""
		if (value > budget)
			failed = 1
	}
	printf "\n"
}

function both(kernel, word) {
	return median(kernel " " word " client") + median(kernel " " word " server")
}

function untraced(kernel, word, text,    key) {
	key = kernel " " word
	if (!seen[key " client"])
		return
	printf "  %-44s %10.0f client %.0f + server %.0f, spread %.2f %% and %.2f %%\n", text,
		both(kernel, word), median(key " client"), median(key " server"),
		spread(key " client"), spread(key " server")
}

function traced(kernel, word, base, text, added_budget, tracer_budget,    key, kind) {
	key = kernel " " word
	if (!seen[key " client"])
		return
	row(text ": added to client", median(key " client") - median(kernel " " base " client"))
	row(text ": added to server", median(key " server") - median(kernel " " base " server"))
	row(text ": added to both", both(kernel, word) - both(kernel, base), added_budget)
	row(text ": tracer", median(key " tracer_all"), tracer_budget)
	for (kind = 1; kind <= 2; kind++)
		printf "  %-44s %10d of %d\n", text ": spans " kinds[kind],
			total[key " spans_" kinds[kind]], total[key " sent"]
	if (total[key " spans_server"] != total[key " sent"])
		failed = 1
	if (both_sides && total[key " spans_client"] != total[key " sent"])
		failed = 1
	if (total[key " spans_broken"] > 0) {
		printf "  %-44s %10d\n", text ": posts refused", total[key " spans_broken"]
		failed = 1
	}
}

BEGIN {
	kinds[1] = "server"
	kinds[2] = "client"
	both_sides = cmd ~ / -a( |$)/
}

FNR == NR {
	if ($1 !~ /^#/ && NF >= 5) {
		budget[$1, "added"] = $2
		budget[$1, "saturated"] = $3
		budget[$1, "paced"] = $4
		budget[$1, "idle"] = $5
	}
	next
}

{
	if (!($1 in known)) {
		known[$1] = 1
		order[++kernel_cnt] = $1
	}
	for (i = 3; i <= NF; i++) {
		split($i, pair, "=")
		name = $1 " " $2 " " pair[1]
		values[name, ++seen[name]] = pair[2] + 0
		total[name] += pair[2]
	}
}

END {
	for (i = 1; i <= kernel_cnt; i++) {
		k = order[i]
		printf "\n%s, %s 1 KiB, %d connection%s, %s; instructions per request, medians\n", k,
			server, conns, conns == 1 ? "" : "s", cmd == "" ? "no tracer" : cmd
		untraced(k, "BASE", "untraced, saturated")
		untraced(k, "BASEPACED", "untraced, paced")
		traced(k, "TRACED", "BASE", "saturated", budget[k, "added"], budget[k, "saturated"])
		traced(k, "PACED", "BASEPACED", "paced", "", budget[k, "paced"])
		if (seen[k " IDLE tracer_10s"])
			row("idle: tracer in 10 s", median(k " IDLE tracer_10s"), budget[k, "idle"])
		if (seen[k " MEM rss_kib"]) {
			row("resident memory", median(k " MEM rss_kib"), "", "KiB")
			row("  of it anonymous", median(k " MEM anon_kib"), "", "KiB")
			row("memory of " median(k " MEM maps") " BPF maps", median(k " MEM maps_bytes") / 1024,
				"", "KiB")
		}
		if (cmd != "" && !seen[k " TRACED client"]) {
			print "  the tracer did not run"
			failed = 1
			check = 1
		}
	}
	exit check && failed
}
