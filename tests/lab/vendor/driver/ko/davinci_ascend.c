// SPDX-License-Identifier: GPL-2.0
/*
 * Stand-in for the driver's upper half: character devices that open, read nothing and swallow what is written.
 * Minors below 64 are chips, those from 64 on are the manager and its companions. Nodes are made by the boot script.
 */
#include <linux/errno.h>
#include <linux/fs.h>
#include <linux/init.h>
#include <linux/module.h>
#include <linux/moduleparam.h>

#define DAVINCI_FIRST_CONTROL 64
#define DAVINCI_LAST_CONTROL 79

unsigned int drv_pcie_most_chips(void);

static unsigned int chips = 8;
module_param(chips, uint, 0444);
MODULE_PARM_DESC(chips, "how many chips answer");

static int davinci_major;

static int davinci_open(struct inode *inode, struct file *file)
{
	unsigned int minor = iminor(inode);

	if (minor < DAVINCI_FIRST_CONTROL)
		return minor < chips ? 0 : -ENODEV;
	return minor <= DAVINCI_LAST_CONTROL ? 0 : -ENODEV;
}

static ssize_t davinci_read(struct file *file, char __user *to, size_t size, loff_t *place)
{
	return 0;
}

static ssize_t davinci_write(struct file *file, const char __user *from, size_t size, loff_t *place)
{
	return size;
}

/* The owner counts open files: the module cannot be removed while somebody holds a node. */
static const struct file_operations davinci_operations = {
	.owner = THIS_MODULE,
	.open = davinci_open,
	.read = davinci_read,
	.write = davinci_write,
};

static int __init davinci_init(void)
{
	if (chips > drv_pcie_most_chips())
		return -EINVAL;
	davinci_major = register_chrdev(0, "devdrv-cdev", &davinci_operations);
	if (davinci_major < 0)
		return davinci_major;
	pr_info("davinci_ascend: %u chips, major %d\n", chips, davinci_major);
	return 0;
}

static void __exit davinci_exit(void)
{
	unregister_chrdev(davinci_major, "devdrv-cdev");
}

module_init(davinci_init);
module_exit(davinci_exit);
MODULE_DESCRIPTION("Stand-in: devices of the chips");
MODULE_VERSION("@VERSION@");
MODULE_LICENSE("GPL");
