/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Programs that walk over all objects of a kind (BPF iterators). */
#ifndef ST_KERN_ITER_H
#define ST_KERN_ITER_H

struct bpf_iter_attach_opts;
struct bpf_object;

/* Runs one to its end. Returns 0 or -errno; -ENOENT: it is not there. */
int st_iter__run(struct bpf_object *obj, const char *name, const struct bpf_iter_attach_opts *opts);

#endif
